package config

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// healthy are OpenBao's health answers by role, with standbyok and without.
// Source: OpenBao API, sys/health.
const (
	activeCode  = http.StatusOK
	standbyCode = http.StatusTooManyRequests
)

func healthCodes() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/health-codes",
		Subject:  scenario.SubjectChart,
		Title:    "The health endpoint returns 200 on the active pod and 429 on the standby",
		Protects: "load balancers and probes, which know a pod's state by this code alone",
		Source:   "OpenBao API: sys/health; vault-helm #1173 and openbao-helm #189: 429 made standbys unready",
		Features: []scenario.Feature{scenario.FeatureCluster},
		// Catches: a standby that calls itself active, a health endpoint that needs a token,
		// labels that do not agree with it.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			settled(ctx, t, env)
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			for _, p := range pods {
				g, err := api(env, p)
				require.NoError(t, err)
				want := standbyCode
				active := openbao.Registered(p.Labels, openbao.LabelActive)
				if active == "true" {
					want = activeCode
				}
				for path, code := range map[string]int{"/v1/sys/health": want, "/v1/sys/health?standbyok=true": http.StatusOK} {
					g.Path = path
					status, raw, err := cluster.Ask(ctx, env, p.Name, g)
					require.NoError(t, err)
					require.Equal(t, code, status, "%s of pod %s, labelled active=%s", path, p.Name, active)
					var health struct{ Initialized, Sealed, Standby bool }
					require.NoError(t, json.Unmarshal(raw, &health))
					require.True(t, health.Initialized && !health.Sealed && health.Standby == (want == standbyCode),
						"%s of pod %s: %+v", path, p.Name, health)
				}
			}
		},
	}
}
