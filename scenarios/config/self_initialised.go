package config

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
)

func selfInitialised() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/self-initialised",
		Subject:  scenario.SubjectChart,
		Title:    "Self-initialisation created Rails' login, role and policy, and nothing else",
		Protects: "every request of GitLab, which gets 401 without its login",
		Source:   "GitLab's OpenBao chart, config.initialize; gitlab#592186; openbao #2908",
		Features: []scenario.Feature{scenario.FeatureSelfInit},
		Kind:     scenario.Functional,
		Budget:   time.Minute,
		Parallel: true,
		// Catches: an initialisation that two pods did in part, a role without bound claims, a
		// login left over from setup.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			var logins map[string]struct{ Type string }
			read(ctx, t, env, "sys/auth", &logins)
			require.Equal(t, "jwt", logins["gitlab_rails_jwt/"].Type)
			delete(logins, "gitlab_rails_jwt/")
			delete(logins, "token/") // every server has it
			require.Empty(t, logins, "there are other ways to log in")

			var role struct {
				Audiences []string          `json:"bound_audiences"`
				Subject   string            `json:"bound_subject"`
				Claims    map[string]string `json:"bound_claims"`
				Policies  []string          `json:"token_policies"`
			}
			read(ctx, t, env, "auth/gitlab_rails_jwt/role/app", &role)
			require.Contains(t, role.Audiences, env.Audience)
			require.Equal(t, "gitlab_secrets_manager", role.Subject)
			require.Equal(t, "privileged", role.Claims["secrets_manager_scope"])
			require.Equal(t, []string{"secrets_manager"}, role.Policies)

			var trust struct {
				Issuer string `json:"bound_issuer"`
				Status string `json:"status"`
			}
			read(ctx, t, env, "auth/gitlab_rails_jwt/config", &trust)
			require.Equal(t, env.Issuer.URL(), trust.Issuer)
		},
	}
}

// read reads a path with Rails' privileges.
func read(ctx context.Context, t scenario.T, env *scenario.Env, path string, into any) {
	t.Helper()
	r, err := env.Rails(ctx, http.MethodGet, path, nil)
	require.NoError(t, err)
	require.True(t, r.OK(), "%s: status %d: %s", path, r.Status, r.Message())
	require.NoError(t, json.Unmarshal(r.Data, into), path)
}
