package abuse

import (
	"context"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
)

func leaseInline() scenario.Scenario {
	return scenario.Scenario{
		ID:       "abuse/lease-inline",
		Title:    "An inline login cannot make a token that lasts, whoever logs in",
		Protects: "the storage from a token and a lease for every job",
		Source:   "OpenBao: requests with inline authentication cannot generate leases",
		Kind:     scenario.Abuse,
		Budget:   time.Minute,
		Parallel: true,
		// Catches: leases by the side door. Rails may do everything, so that only this rule is in
		// the way.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			for _, tenant := range env.Sample(2) {
				r, err := env.Rails(ctx, http.MethodPost, tenant.Name+"/auth/token/create",
					map[string]any{"ttl": "1m", "type": "service"})
				require.NoError(t, err)
				if r.OK() {
					t.Errorf("%s: status %d, want the lease refused", tenant.Name, r.Status)
				}
				t.Logf("%s: status %d: %s", tenant.Name, r.Status, r.Message())
			}
		},
	}
}
