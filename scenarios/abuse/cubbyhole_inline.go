package abuse

import (
	"context"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

func cubbyholeInline() scenario.Scenario {
	return scenario.Scenario{
		ID:       "abuse/cubbyhole-inline",
		Title:    "What a job puts into its token's own store cannot be read by the next job",
		Protects: "jobs from each other, where every login has a store of its own",
		Source:   "OpenBao 2.4.0: the write is accepted and its row stays, since an inline token is never revoked",
		Kind:     scenario.Abuse,
		Budget:   time.Minute,
		Parallel: true,
		// Catches: a store that inline tokens share. That the row outlives its token is a fault of
		// OpenBao, which is measured and not judged; the namespace goes away afterwards and takes
		// the row with it.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			secrets := []gitlab.Secret{{Name: "SECRET_1", Environment: gitlab.Any, Branch: gitlab.Any, Version: 1}}
			accepted := 0.0
			tenancy.Each(ctx, t, env, secrets, func(tenant gitlab.Tenant) {
				path := tenant.Name + "/cubbyhole/steamer"
				w, err := tenancy.AsJob(ctx, env, tenant, http.MethodPost, path, map[string]any{"a": "b"})
				require.NoError(t, err)
				if w.OK() {
					accepted++
				}
				r, err := tenancy.AsJob(ctx, env, tenant, http.MethodGet, path, nil)
				require.NoError(t, err)
				if r.Status != http.StatusNotFound && r.Status != http.StatusForbidden {
					t.Errorf("%s: the next job's look answers %d, want 404 or 403", tenant.Name, r.Status)
				}
			})
			t.Measure("rows_that_stay", accepted)
		},
	}
}
