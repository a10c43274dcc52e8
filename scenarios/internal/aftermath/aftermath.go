// Package aftermath looks at what an attack has left behind: nothing, if the server is sound.
package aftermath

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// rows counts what logins leave in storage when they are not inline: tokens, their accessors and leases.
// Source: table and paths of OpenBao's PostgreSQL storage, read at v2.4.0.
const rows = `SELECT count(*) FROM openbao_kv_store WHERE path LIKE '%/sys/token/id/%' OR path LIKE '%/sys/token/accessor/%' OR path LIKE '%/sys/expire/id/%'`

// Before is the state before an attack on a tenant.
type Before struct {
	env      *scenario.Env
	tenant   gitlab.Tenant
	entities string
	pods     string
	rows     string
}

// Look takes the state. The tenant's entity is made first, by a valid fetch.
func Look(ctx context.Context, t scenario.T, env *scenario.Env, tenant gitlab.Tenant) *Before {
	t.Helper()
	require.NoError(t, env.Check(ctx, tenant, tenant.Secrets[0]))
	b := &Before{env: env, tenant: tenant}
	var err error
	b.entities, b.pods, b.rows, err = state(ctx, env, tenant)
	require.NoError(t, err)
	return b
}

// Unharmed expects that the tenant and another one still fetch, that nobody new is known to the tenant's namespace, that no token or
// lease was stored, and that no pod restarted or lost its leadership.
func (b *Before) Unharmed(ctx context.Context, t scenario.T) {
	t.Helper()
	if err := b.env.Check(ctx, b.tenant, b.tenant.Secrets[0]); err != nil {
		t.Errorf("afterwards a valid job does not work: %v", err)
	}
	other := b.env.Tenants[len(b.env.Tenants)-1]
	if err := b.env.Check(ctx, other, other.Secrets[0]); err != nil {
		t.Errorf("afterwards another project's job does not work: %v", err)
	}
	entities, pods, rows, err := state(ctx, b.env, b.tenant)
	require.NoError(t, err)
	for what, pair := range map[string][2]string{
		"entities of the tenant":   {b.entities, entities},
		"pods":                     {b.pods, pods},
		"stored tokens and leases": {b.rows, rows},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s changed: %s before, %s after", what, pair[0], pair[1])
		}
	}
}

func state(ctx context.Context, env *scenario.Env, tenant gitlab.Tenant) (entities, pods, stored string, err error) {
	r, err := env.Rails(ctx, http.MethodGet, tenant.Name+"/identity/entity/id?list=true", nil)
	if err != nil {
		return "", "", "", err
	}
	var list struct{ Keys []string }
	if !r.OK() || json.Unmarshal(r.Data, &list) != nil {
		return "", "", "", fmt.Errorf("entities of %s: status %d: %s", tenant.Name, r.Status, r.Message())
	}
	entities = fmt.Sprint(len(list.Keys))
	if env.Kube != nil {
		found, err := cluster.Pods(ctx, env)
		if err != nil {
			return "", "", "", err
		}
		pods = cluster.Describe(found)
	}
	if env.Database != nil {
		if stored, err = env.Database.Query(ctx, rows); err != nil {
			return "", "", "", err
		}
	}
	return entities, pods, strings.TrimSpace(stored), nil
}
