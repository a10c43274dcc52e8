package access

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

func changes() []scenario.Scenario {
	const policy, data, metadata = "sys/policies/acl/pipelines/global", "secrets/kv/data/explicit/SECRET_1",
		"secrets/kv/metadata/explicit/SECRET_1"
	return scenario.Table(scenario.Scenario{
		Protects: "jobs from stale values, and secrets from readers whose permission has gone",
		Source:   "KV v2 check-and-set; GitLab Runner: no policy is 403, a policy without secret 404",
		Kind:     scenario.Functional, Budget: time.Minute, Parallel: true,
	},
		// Catches: a cache that serves what was.
		scenario.Row("access/change-new-version", "A new value replaces the old one at once",
			after(func(c changing) { c.write("second", 1, http.StatusOK) }, http.StatusOK, "second")),
		// Catches: a job that gets whatever version it happens to find.
		scenario.Row("access/change-many-versions",
			"The latest of twelve values counts, also where older ones are dropped",
			after(func(c changing) {
				for version := 1; version < 12; version++ {
					c.write("value "+strings.Repeat("x", version), version, http.StatusOK)
				}
			}, http.StatusOK, "value "+strings.Repeat("x", 11))),
		// Catches: two people who overwrite each other without noticing.
		scenario.Row("access/change-conflict", "A write that knows an old version is a 400 and changes nothing",
			after(func(c changing) {
				c.write("second", 1, http.StatusOK)
				c.write("lost", 1, http.StatusBadRequest)
			}, http.StatusOK, "second")),
		// Catches: a secret created over one that is there.
		scenario.Row("access/change-create-twice", "Creating a secret that exists is a 400 and changes nothing",
			after(func(c changing) { c.write("lost", 0, http.StatusBadRequest) }, http.StatusOK, "")),
		// Catches: 403 and 404 that do not tell a missing permission from a missing secret.
		scenario.Row("access/change-deleted", "A deleted secret whose policy is still there is a 404",
			after(func(c changing) { c.user(http.MethodDelete, metadata) }, http.StatusNotFound, "")),
		scenario.Row("access/change-version-deleted",
			"A secret whose latest value is deleted is a 404, not the value before",
			after(func(c changing) {
				c.write("second", 1, http.StatusOK)
				c.user(http.MethodDelete, data)
			}, http.StatusNotFound, "")),
		// Catches: a policy cache that outlives its policy.
		scenario.Row("access/change-policy-deleted", "Without its policy a secret is a 403 at once, and never a 404",
			after(func(c changing) { c.rails(http.MethodDelete, policy, nil) }, http.StatusForbidden, "")),
		scenario.Row("access/change-policy-and-secret-deleted",
			"Without policy and secret a job gets 403 and learns nothing",
			after(func(c changing) {
				c.user(http.MethodDelete, metadata)
				c.rails(http.MethodDelete, policy, nil)
			}, http.StatusForbidden, "")),
		scenario.Row("access/change-policy-emptied", "A policy that grants nothing any more refuses at once",
			after(func(c changing) {
				c.rails(http.MethodPost, policy, map[string]any{"policy": `{"path":{}}`})
			}, http.StatusForbidden, "")),
		scenario.Row("access/change-policy-denies", "An explicit deny wins over a grant",
			after(func(c changing) {
				c.rails(http.MethodPost, policy, map[string]any{"policy": `{"path":{"secrets/kv/data/explicit/SECRET_1":{"capabilities":["read","deny"]}}}`})
			}, http.StatusForbidden, "")),
		// Catches: leftovers of a secret's former life.
		scenario.Row("access/change-recreated", "A secret created again has its new value and version 1",
			after(func(c changing) {
				c.user(http.MethodDelete, metadata)
				c.write("again", 0, http.StatusOK)
			}, http.StatusOK, "again")),
		// Catches: access that ends with the role: deprovisioning must stop jobs at once.
		scenario.Row("access/change-engine-unmounted", "Without its secrets engine a project's job gets no value",
			after(func(c changing) { c.rails(http.MethodDelete, "sys/mounts/secrets/kv", nil) }, http.StatusNotFound, "")),
	)
}

// changing is what a change may use.
type changing struct {
	context.Context
	scenario.T
	env    *scenario.Env
	tenant gitlab.Tenant
}

func (c changing) write(value string, cas, want int) {
	c.Helper()
	write(c.Context, c.T, c.env, c.tenant, value, cas, want)
}

// rails and user make a request below the tenant's namespace and expect success.
func (c changing) rails(method, path string, body any) {
	c.Helper()
	r, err := c.env.Rails(c.Context, method, c.tenant.Name+"/"+path, body)
	require.NoError(c.T, err)
	require.True(c.T, r.OK(), "%s %s: status %d: %s", method, path, r.Status, r.Message())
}

func (c changing) user(method, path string) {
	c.Helper()
	r, err := tenancy.AsUser(c.Context, c.env, c.tenant, method, c.tenant.Name+"/"+path, nil)
	require.NoError(c.T, err)
	require.True(c.T, r.OK(), "%s %s: status %d: %s", method, path, r.Status, r.Message())
}

// after makes a change to a secret and expects what a job gets afterwards: a status, and with 200
// this value. "" is the value that was seeded.
func after(change func(c changing), status int, value string) scenario.Test {
	return func(ctx context.Context, t scenario.T, env *scenario.Env) {
		tenancy.Each(ctx, t, env, one(), func(tenant gitlab.Tenant) {
			secret := tenant.Secrets[0]
			// A fetch before fills every cache there is.
			require.NoError(t, env.Check(ctx, tenant, secret))
			change(changing{ctx, t, env, tenant})
			a, err := env.Fetch(ctx, tenant, secret.Name, gitlab.DefaultJob())
			require.NoError(t, err)
			want := cmp.Or(value, tenant.Value(env.Seed, secret))
			if a.Status != status || a.InlineAuthFailed || a.OK() && a.Value() != want {
				t.Errorf("afterwards, at %s: %v, KV version %d; want status %d and the right value", tenant.Name, a, a.Version,
					status)
			}
		})
	}
}
