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
		Subject:  scenario.SubjectServer,
		Features: []scenario.Feature{scenario.FeatureNamespaces},
		Protects: "jobs from stale values, and secrets from readers who lost their permission",
		Source:   "KV v2 check-and-set; GitLab Runner: a missing policy is 403, a missing secret 404",
		Kind:     scenario.Functional, Budget: time.Minute, Parallel: true,
	},
		// Catches: a cache that serves old values.
		scenario.Row("access/change-new-version", "A new value replaces the old one immediately",
			after(func(c changing) { c.write("second", 1, http.StatusOK) }, http.StatusOK, "second")),
		// Catches: a job that gets a version other than the latest.
		scenario.Row("access/change-many-versions",
			"A job gets the latest of twelve values, after old versions were dropped",
			after(func(c changing) {
				for version := 1; version < 12; version++ {
					c.write("value "+strings.Repeat("x", version), version, http.StatusOK)
				}
			}, http.StatusOK, "value "+strings.Repeat("x", 11))),
		// Catches: users who overwrite each other's changes.
		scenario.Row("access/change-conflict", "A write based on an old version gets 400 and changes nothing",
			after(func(c changing) {
				c.write("second", 1, http.StatusOK)
				c.write("lost", 1, http.StatusBadRequest)
			}, http.StatusOK, "second")),
		// Catches: a secret created over an existing one.
		scenario.Row("access/change-create-twice", "Creating an existing secret gets 400 and changes nothing",
			after(func(c changing) { c.write("lost", 0, http.StatusBadRequest) }, http.StatusOK, "")),
		// Catches: 403 and 404 that do not distinguish a missing permission from a missing secret.
		scenario.Row("access/change-deleted", "A deleted secret whose policy remains gets 404",
			after(func(c changing) { c.userDeletes(metadata) }, http.StatusNotFound, "")),
		scenario.Row("access/change-version-deleted",
			"A secret whose latest version is deleted gets 404, not the previous value",
			after(func(c changing) {
				c.write("second", 1, http.StatusOK)
				c.userDeletes(data)
			}, http.StatusNotFound, "")),
		// Catches: a policy cache that outlives its policy.
		scenario.Row("access/change-policy-deleted", "A secret whose policy is deleted gets 403 immediately, never 404",
			after(func(c changing) { c.rails(http.MethodDelete, policy, nil) }, http.StatusForbidden, "")),
		scenario.Row("access/change-policy-and-secret-deleted", "A job gets 403 after policy and secret are deleted",
			after(func(c changing) {
				c.userDeletes(metadata)
				c.rails(http.MethodDelete, policy, nil)
			}, http.StatusForbidden, "")),
		scenario.Row("access/change-policy-emptied", "An emptied policy refuses immediately",
			after(func(c changing) {
				c.rails(http.MethodPost, policy, map[string]any{"policy": `{"path":{}}`})
			}, http.StatusForbidden, "")),
		scenario.Row("access/change-policy-denies", "An explicit deny overrides a grant",
			after(func(c changing) {
				c.rails(http.MethodPost, policy, map[string]any{
					"policy": `{"path":{"secrets/kv/data/explicit/SECRET_1":{"capabilities":["read","deny"]}}}`,
				})
			}, http.StatusForbidden, "")),
		// Catches: remains of a deleted secret.
		scenario.Row("access/change-recreated", "A secret that is created again has its new value at version 1",
			after(func(c changing) {
				c.userDeletes(metadata)
				c.write("again", 0, http.StatusOK)
			}, http.StatusOK, "again")),
		// Catches: access that outlives deprovisioning, which must stop jobs immediately.
		scenario.Row("access/change-engine-unmounted", "A job gets no value after the secrets engine is unmounted",
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

// rails makes a request below the tenant's namespace and expects success.
func (c changing) rails(method, path string, body any) {
	c.Helper()
	r, err := c.env.Rails(c.Context, method, c.tenant.Name+"/"+path, body)
	require.NoError(c.T, err)
	require.True(c.T, r.OK(), "%s %s: status %d: %s", method, path, r.Status, r.Message())
}

// userDeletes deletes what is at a path below the tenant's namespace, as a user, and expects
// success.
func (c changing) userDeletes(path string) {
	c.Helper()
	r, err := tenancy.AsUser(c.Context, c.env, c.tenant, http.MethodDelete, c.tenant.Name+"/"+path, nil)
	require.NoError(c.T, err)
	require.True(c.T, r.OK(), "DELETE %s: status %d: %s", path, r.Status, r.Message())
}

// after makes a change to a secret and expects what a job gets afterwards: a status, and with 200
// this value. "" is the value that was seeded.
func after(change func(c changing), status int, value string) scenario.Test {
	return func(ctx context.Context, t scenario.T, env *scenario.Env) {
		tenancy.Each(ctx, t, env, one(), func(tenant gitlab.Tenant) {
			secret := tenant.Secrets[0]
			// A fetch before the change fills every cache.
			require.NoError(t, env.Check(ctx, tenant, secret))
			change(changing{ctx, t, env, tenant})
			a, err := env.Fetch(ctx, tenant, secret.Name, gitlab.DefaultJob())
			require.NoError(t, err)
			want := cmp.Or(value, tenant.Value(env.Seed, secret))
			if a.Status != status || a.InlineAuthFailed || a.OK() && a.Value() != want {
				t.Errorf("after the change, at %s: %v, KV version %d; want status %d and the right value", tenant.Name, a,
					a.Version,
					status)
			}
		})
	}
}
