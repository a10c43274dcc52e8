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
		Subject:  scenario.SubjectServer,
		Features: []scenario.Feature{scenario.FeatureInlineAuth},
		Title:    "A job cannot read what an earlier job left in its token's cubbyhole",
		Protects: "jobs from reading each other's temporary data",
		Source:   "OpenBao 2.4.0 accepts the write and keeps its row, because an inline token is never revoked",
		Kind:     scenario.Abuse,
		Budget:   time.Minute,
		Parallel: true,
		// Catches: a store that inline tokens share. OpenBao keeps the row after its token, which
		// is measured but does not fail the scenario. The row is deleted with the namespace.
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
					t.Errorf("%s: the next job's read got status %d, want 404 or 403", tenant.Name, r.Status)
				}
			})
			t.Measure("rows_that_stay", accepted)
		},
	}
}
