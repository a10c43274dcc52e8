package config

import (
	"context"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func metricsNeedToken() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/metrics-need-token",
		Subject:  scenario.SubjectChart,
		Title:    "The API port serves no metrics without a token",
		Protects: intruders,
		Source:   "OpenBao: listener, telemetry, unauthenticated_metrics_access",
		Features: []scenario.Feature{scenario.FeatureCluster},
		// Catches: unauthenticated metrics on the port that the Ingress leads to.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			active := settled(ctx, t, env)
			g, err := api(env, *active)
			require.NoError(t, err)
			g.Path = "/v1/sys/metrics?format=prometheus"
			status, _, err := cluster.Ask(ctx, env, active.Name, g)
			require.NoError(t, err)
			require.True(t, status == 400 || status == 403, "metrics on the API's port: status %d", status)
		},
	}
}
