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

func logins() []scenario.Scenario {
	return scenario.Table(scenario.Scenario{
		Subject:  scenario.SubjectServer,
		Protects: "the boundaries between jobs, users and Rails, whose tokens all come from the same issuer",
		Source:   "GitLab EE spec authentication_boundaries_spec.rb",
		Kind:     scenario.Abuse, Budget: time.Minute, Parallel: true,
	},
		// Catches: scopes that are not distinguished.
		scenario.Row("access/login-owner-at-pipeline", "An owner's token is refused at the pipeline login",
			loginRefused(ownerToken, pipelineLogin)),
		// Catches: a privileged token that every login accepts.
		scenario.Row("access/login-rails-at-pipeline", "Rails' privileged token is refused at the pipeline login",
			loginRefused(railsToken, pipelineLogin)),
		// Catches: as above.
		scenario.Row("access/login-rails-at-user", "Rails' privileged token is refused at the user login",
			loginRefused(railsToken, tenancy.UserAuth)),
		// Catches: a job that writes secrets with the user's rights.
		scenario.Row("access/login-job-at-user", "A job's token is refused at the user login",
			loginRefused(jobToken, tenancy.UserAuth)),
		// Catches: a job with Rails' rights on the whole instance.
		scenario.About(scenario.SubjectChart, scenario.Row("access/login-job-at-rails",
			"A job's token is refused at Rails' login",
			loginRefused(jobToken, railsLogin))),
		// Catches: a user with Rails' rights on the whole instance.
		scenario.About(scenario.SubjectChart, scenario.Row("access/login-owner-at-rails",
			"An owner's token is refused at Rails' login",
			loginRefused(ownerToken, railsLogin))),
		// Catches: a user role that does not check the project.
		scenario.Row("access/login-owner-of-other-project", "An owner's token is refused at another project's user login",
			loginRefused(otherOwnerToken, tenancy.UserAuth)),
	)
}

func jobToken(env *scenario.Env, t, _ gitlab.Tenant) (string, error) {
	return env.Issuer.Pipeline(env.Audience, t, gitlab.DefaultJob())
}

func ownerToken(env *scenario.Env, t, _ gitlab.Tenant) (string, error) {
	return env.Issuer.User(env.Audience, t)
}

func otherOwnerToken(env *scenario.Env, _, other gitlab.Tenant) (string, error) {
	return env.Issuer.User(env.Audience, other)
}

func railsToken(env *scenario.Env, _, _ gitlab.Tenant) (string, error) {
	return env.Issuer.Privileged(env.Audience)
}

func pipelineLogin(_ *scenario.Env, t gitlab.Tenant) (*openbao.InlineAuth, error) {
	return &openbao.InlineAuth{Path: t.AuthPath, Role: t.Role}, nil
}

func railsLogin(env *scenario.Env, _ gitlab.Tenant) (*openbao.InlineAuth, error) {
	return env.Issuer.RailsAuth(env.Audience)
}

// loginRefused presents a token at a login for which it is not meant. other is a different tenant.
func loginRefused(token func(env *scenario.Env, tenant, other gitlab.Tenant) (string, error),
	login func(env *scenario.Env, tenant gitlab.Tenant) (*openbao.InlineAuth, error),
) scenario.Test {
	return func(ctx context.Context, t scenario.T, env *scenario.Env) {
		require.Greater(t, len(env.Tenants), 1, "this scenario needs at least two tenants")
		for i, tenant := range env.Sample(2) {
			other := env.Tenants[0]
			if other.Project == tenant.Project {
				other = env.Tenants[min(i+1, len(env.Tenants)-1)]
			}
			auth, err := login(env, tenant)
			require.NoError(t, err)
			auth.JWT, err = token(env, tenant, other)
			require.NoError(t, err)
			kv := strings.Replace(tenant.SecretPath, "/data/", "/metadata/", 1)
			r, err := env.Client.Do(ctx, openbao.Request{Method: http.MethodGet, Path: kv + "?list=true", Auth: auth})
			require.NoError(t, err)
			if !r.InlineAuthFailed || r.Status < 400 || r.Status > 499 {
				t.Errorf("at %s: status %d: %s, want the login refused with a 4xx", tenant.Name, r.Status, r.Message())
			}
		}
	}
}
