package abuse

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
)

func leaseInline() scenario.Scenario {
	return scenario.Scenario{
		ID:       "abuse/lease-inline",
		Subject:  scenario.SubjectServer,
		Features: []scenario.Feature{scenario.FeatureInlineAuth},
		Title:    "No inline login can create a long-lived token",
		Protects: "the storage from one token and one lease per job",
		Source:   "OpenBao: requests with inline authentication cannot generate leases",
		Kind:     scenario.Abuse,
		Budget:   time.Minute,
		Parallel: true,
		// Catches: leases created by inline logins. Rails may do everything, so only this rule
		// prevents them.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			for _, tenant := range env.Sample(2) {
				r, err := env.Rails(ctx, http.MethodPost, tenant.Name+"/auth/token/create",
					map[string]any{"ttl": "1m", "type": "service"})
				require.NoError(t, err)
				// OpenBao 2.4.0 refuses earlier: an inline login's token is not stored, so it is
				// no parent.
				refused := strings.Contains(r.Message(), "lease") || strings.Contains(r.Message(), "no parent found")
				if r.OK() || r.InlineAuthFailed || !refused {
					t.Errorf("%s: status %d: %s, want the lease refused after the login", tenant.Name, r.Status, r.Message())
				}
				t.Logf("%s: status %d: %s", tenant.Name, r.Status, r.Message())
			}
		},
	}
}
