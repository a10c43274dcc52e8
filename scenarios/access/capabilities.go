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

// ownRequest is request on tenants of its own, because the request may change something. A refused
// one must change nothing.
func ownRequest(as party, method, path string, body any, want int) scenario.Test {
	return ownChange(as, method, path, body, want, func(c changing) {
		if err := c.env.Check(c.Context, c.tenant, c.tenant.Secrets[0]); err != nil {
			c.Errorf("after the refused request: %v", err)
		}
	})
}

// ownChange is ownRequest whose effect left checks: what an answer says is not what is stored.
func ownChange(as party, method, path string, body any, want int, left func(c changing)) scenario.Test {
	return func(ctx context.Context, t scenario.T, env *scenario.Env) {
		tenancy.Each(ctx, t, env, one(), func(tenant gitlab.Tenant) {
			expect(ctx, t, env, as, tenant, method, path, body, want)
			left(changing{ctx, t, env, tenant})
		})
	}
}

// jobReads expects that a job gets a value of the tenant's first secret.
func jobReads(value string) func(c changing) {
	return func(c changing) {
		a, err := c.env.Fetch(c.Context, c.tenant, c.tenant.Secrets[0].Name, gitlab.DefaultJob())
		require.NoError(c, err)
		if !a.OK() || a.Value() != value {
			c.Errorf("after the request, a job of %s gets %v, KV version %d, want the value written", c.tenant.Name, a,
				a.Version)
		}
	}
}

// thenReads makes a GET request as a party and expects a status, and a text in an answer of 200.
func thenReads(as party, path string, want int, text string) func(c changing) {
	return func(c changing) {
		r := expect(c.Context, c, c.env, as, c.tenant, http.MethodGet, path, nil, want)
		if r.OK() && !strings.Contains(string(r.Data), text) {
			c.Errorf("after the request, GET %s at %s does not hold %s", path, c.tenant.Name, text)
		}
	}
}

func expect(ctx context.Context, t scenario.T, env *scenario.Env, as party, tenant gitlab.Tenant, method, path string,
	body any, want int,
) *openbao.Response {
	t.Helper()
	kv := strings.TrimSuffix(tenant.SecretPath, "/data/explicit")
	full := strings.NewReplacer("{ns}", tenant.Name, "{kv}", kv, "{secret}", tenant.Secrets[0].Name).Replace(path)
	r, err := as(ctx, env, tenant, method, full, body)
	require.NoError(t, err)
	if r.Status != want || r.InlineAuthFailed {
		t.Errorf("%s %s at %s: status %d, login failed: %t: %s; want %d", method, path, tenant.Name, r.Status,
			r.InlineAuthFailed, r.Message(), want)
	}
	return r
}
