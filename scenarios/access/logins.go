package access

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

// loginRow is a token of GitLab's presented where it does not belong. other is a tenant that is not
// the one asked.
type loginRow struct {
	name, title string
	auth        func(env *scenario.Env, tenant, other gitlab.Tenant) (*openbao.InlineAuth, error)
}

// pipelineDoor, userDoor and railsDoor are the logins; the JWT is whatever the row brings.
func pipelineDoor(t gitlab.Tenant, jwt string) *openbao.InlineAuth {
	return &openbao.InlineAuth{Path: t.AuthPath, Role: t.Role, JWT: jwt}
}

func userDoor(env *scenario.Env, t gitlab.Tenant, jwt string) (*openbao.InlineAuth, error) {
	auth, err := tenancy.UserAuth(env, t)
	if err != nil {
		return nil, err
	}
	auth.JWT = jwt
	return auth, nil
}

func railsDoor(env *scenario.Env, jwt string) (*openbao.InlineAuth, error) {
	auth, err := env.Issuer.RailsAuth(env.Audience)
	if err != nil {
		return nil, err
	}
	auth.JWT = jwt
	return auth, nil
}

func loginRows() []loginRow {
	job := func(env *scenario.Env, t gitlab.Tenant) string {
		jwt, _ := env.Issuer.Pipeline(env.Audience, t, gitlab.DefaultJob()) // an empty one is refused for the wrong reason
		return jwt
	}
	return []loginRow{
		// Catches: scopes that are not told apart.
		{
			"owner-at-pipeline", "An owner's token is refused at the pipelines' login",
			func(env *scenario.Env, t, _ gitlab.Tenant) (*openbao.InlineAuth, error) {
				jwt, err := env.Issuer.User(env.Audience, t)
				return pipelineDoor(t, jwt), err
			},
		},
		// Catches: a privileged token that opens every door.
		{
			"rails-at-pipeline", "Rails' privileged token is refused at the pipelines' login",
			func(env *scenario.Env, t, _ gitlab.Tenant) (*openbao.InlineAuth, error) {
				jwt, err := env.Issuer.Privileged(env.Audience)
				return pipelineDoor(t, jwt), err
			},
		},
		// Catches: as above.
		{
			"rails-at-user", "Rails' privileged token is refused at the users' login",
			func(env *scenario.Env, t, _ gitlab.Tenant) (*openbao.InlineAuth, error) {
				jwt, err := env.Issuer.Privileged(env.Audience)
				if err != nil {
					return nil, err
				}
				return userDoor(env, t, jwt)
			},
		},
		// Catches: a job that writes secrets with the user's rights.
		{"job-at-user", "A job's token is refused at the users' login", func(env *scenario.Env, t, _ gitlab.Tenant) (
			*openbao.InlineAuth, error,
		) {
			return userDoor(env, t, job(env, t))
		}},
		// Catches: a job that owns the whole instance.
		{"job-at-rails", "A job's token is refused at Rails' login", func(env *scenario.Env, t, _ gitlab.Tenant) (
			*openbao.InlineAuth, error,
		) {
			return railsDoor(env, job(env, t))
		}},
		// Catches: a user who owns the whole instance.
		{"owner-at-rails", "An owner's token is refused at Rails' login", func(env *scenario.Env, t, _ gitlab.Tenant) (
			*openbao.InlineAuth, error,
		) {
			jwt, err := env.Issuer.User(env.Audience, t)
			if err != nil {
				return nil, err
			}
			return railsDoor(env, jwt)
		}},
		// Catches: a user role without its project.
		{
			"owner-of-other-project", "The owner of one project is refused at another's login",
			func(env *scenario.Env, t, other gitlab.Tenant) (*openbao.InlineAuth, error) {
				jwt, err := env.Issuer.User(env.Audience, other)
				if err != nil {
					return nil, err
				}
				return userDoor(env, t, jwt)
			},
		},
	}
}

func logins() []scenario.Scenario {
	var out []scenario.Scenario
	for _, row := range loginRows() {
		out = append(out, scenario.Scenario{
			ID: "access/login-" + row.name, Title: row.title,
			Protects: "the boundaries between jobs, users and Rails, which all carry tokens of the same issuer",
			Source:   "GitLab EE spec authentication_boundaries_spec.rb",
			Kind:     scenario.Abuse, Budget: time.Minute, Parallel: true,
			Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
				require.Greater(t, len(env.Tenants), 1, "there is only one tenant: nobody to refuse")
				for i, tenant := range env.Sample(2) {
					other := env.Tenants[0]
					if other.Project == tenant.Project {
						other = env.Tenants[min(i+1, len(env.Tenants)-1)]
					}
					auth, err := row.auth(env, tenant, other)
					require.NoError(t, err)
					kv := strings.Replace(tenant.SecretPath, "/data/", "/metadata/", 1)
					r, err := env.Client.Do(ctx, openbao.Request{Method: http.MethodGet, Path: kv + "?list=true", Auth: auth})
					require.NoError(t, err)
					if !r.InlineAuthFailed || r.Status < 400 || r.Status > 499 {
						t.Errorf("at %s: status %d: %s, want the login refused with a 4xx", tenant.Name, r.Status, r.Message())
					}
				}
			},
		})
	}
	return out
}
