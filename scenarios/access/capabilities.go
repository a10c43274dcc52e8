package access

import (
	"context"
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

const capabilitySource = "GitLab EE, pipeline, user and privileged policies; spec authentication_boundaries_spec.rb"

// party makes requests with one of the logins that OpenBao has for GitLab.
type party func(ctx context.Context, env *scenario.Env, tenant gitlab.Tenant, method, path string,
	body any) (*openbao.Response, error)

func asRails(ctx context.Context, env *scenario.Env, _ gitlab.Tenant, method, path string, body any) (
	*openbao.Response, error,
) {
	return env.Rails(ctx, method, path, body)
}

// someValue is the body of a write.
func someValue() any { return map[string]any{"data": map[string]any{"value": "x"}} }

// somePolicy is the body of a write of a policy.
func somePolicy() any {
	return map[string]any{"policy": `{"path":{"secrets/kv/*":{"capabilities":["read"]}}}`}
}

// request expects a status for a request by one party. {ns}, {kv} and {secret} in the path stand
// for the tenant's namespace, its secrets engine and its first secret. A 403 must come from the
// policy and not from the login.
func request(as party, method, path string, want int) scenario.Test {
	return func(ctx context.Context, t scenario.T, env *scenario.Env) {
		for _, tenant := range env.Sample(2) {
			expect(ctx, t, env, as, tenant, method, path, nil, want)
		}
	}
}

// ownRequest is request on tenants of its own, because the request changes something where it is
// not refused. A refused one must change nothing.
func ownRequest(as party, method, path string, body any, want int) scenario.Test {
	return func(ctx context.Context, t scenario.T, env *scenario.Env) {
		tenancy.Each(ctx, t, env, one(), func(tenant gitlab.Tenant) {
			expect(ctx, t, env, as, tenant, method, path, body, want)
			if want == http.StatusForbidden {
				if err := env.Check(ctx, tenant, tenant.Secrets[0]); err != nil {
					t.Errorf("after the refused request: %v", err)
				}
			}
		})
	}
}

func expect(ctx context.Context, t scenario.T, env *scenario.Env, as party, tenant gitlab.Tenant, method, path string,
	body any, want int,
) {
	t.Helper()
	kv := strings.TrimSuffix(tenant.SecretPath, "/data/explicit")
	full := strings.NewReplacer("{ns}", tenant.Name, "{kv}", kv, "{secret}", tenant.Secrets[0].Name).Replace(path)
	r, err := as(ctx, env, tenant, method, full, body)
	require.NoError(t, err)
	if r.Status != want || r.InlineAuthFailed {
		t.Errorf("%s %s at %s: status %d, login failed: %t: %s; want %d", method, path, tenant.Name, r.Status,
			r.InlineAuthFailed, r.Message(), want)
	}
}
