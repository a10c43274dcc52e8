package abuse

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

// storedRows counts what logins leave in storage when they are not inline: tokens, their accessors
// and leases. Source: table and paths of OpenBao's PostgreSQL storage, read at v2.4.0.
const storedRows = `SELECT count(*) FROM %s_kv_store
	WHERE path LIKE '%%/sys/token/id/%%' OR path LIKE '%%/sys/token/accessor/%%' OR path LIKE '%%/sys/expire/id/%%'`

// before is the state before an attack on some tenants.
type before struct {
	env     *scenario.Env
	tenants []gitlab.Tenant
	was     left
}

// left is what an attack could leave behind.
type left struct{ entities, pods, rows string }

// observe records the state, once for all tenants that a scenario attacks, because it costs more
// than an attack. A valid fetch of each tenant creates its entity first.
func observe(ctx context.Context, t scenario.T, env *scenario.Env, tenants ...gitlab.Tenant) *before {
	t.Helper()
	for _, tenant := range tenants {
		require.NoError(t, env.Check(ctx, tenant, tenant.Secrets[0]), tenant.Name)
	}
	was, err := sideEffects(ctx, env, tenants)
	require.NoError(t, err)
	return &before{env: env, tenants: tenants, was: was}
}

// unharmed expects that the tenants and another one still fetch, that their namespaces have no new
// entities, that no token or lease was stored, and that no pod restarted or lost its leadership.
func (b *before) unharmed(ctx context.Context, t scenario.T) {
	t.Helper()
	for _, tenant := range b.tenants {
		if err := b.env.Check(ctx, tenant, tenant.Secrets[0]); err != nil {
			t.Errorf("after the attack, a valid job of %s fails: %v", tenant.Name, err)
		}
	}
	other := b.env.Tenants[len(b.env.Tenants)-1]
	if err := b.env.Check(ctx, other, other.Secrets[0]); err != nil {
		t.Errorf("after the attack, another project's job fails: %v", err)
	}
	is, err := sideEffects(ctx, b.env, b.tenants)
	require.NoError(t, err)
	for what, pair := range map[string][2]string{
		"entities of the tenants":  {b.was.entities, is.entities},
		"pods":                     {b.was.pods, is.pods},
		"stored tokens and leases": {b.was.rows, is.rows},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s changed: %s before, %s after", what, pair[0], pair[1])
		}
	}
}

func sideEffects(ctx context.Context, env *scenario.Env, tenants []gitlab.Tenant) (left, error) {
	var out left
	if !env.Has(scenario.FeatureNamespaces) {
		tenants = nil // the entities of all tenants are one list, to which scenarios beside this one add
	}
	for _, tenant := range tenants {
		r, err := env.Rails(ctx, http.MethodGet, tenant.Name+"/identity/entity/id?list=true", nil)
		if err != nil {
			return left{}, err
		}
		var list struct{ Keys []string }
		if !r.OK() || json.Unmarshal(r.Data, &list) != nil {
			return left{}, fmt.Errorf("entities of %s: status %d: %s", tenant.Name, r.Status, r.Message())
		}
		out.entities += fmt.Sprintf(" %s: %d", tenant.Name, len(list.Keys))
	}
	if env.Kube != nil {
		found, err := cluster.Pods(ctx, env)
		if err != nil {
			return left{}, err
		}
		out.pods = cluster.Describe(found)
	}
	if env.Database != nil {
		stored, err := env.Database.Query(ctx, fmt.Sprintf(storedRows, env.Kind))
		if err != nil {
			return left{}, err
		}
		out.rows = strings.TrimSpace(stored)
	}
	return out, nil
}
