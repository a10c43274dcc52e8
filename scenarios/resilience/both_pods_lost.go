package resilience

import (
	"context"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func bothPodsLost() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/both-pods-lost",
		Subject:  scenario.SubjectChart,
		Title:    "After losing both pods, new ones start, unseal themselves and serve",
		Protects: "pipelines after a power failure or a cluster restart, when no operator unseals",
		Source:   "GitLab's administration guide of the secrets manager: restarts",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureSelfInit},
		// Catches: an unseal key that only a running pod has, pods that wait for each other, a
		// second self-initialisation.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			disturb(ctx, t, env, judge.OutagePodsLost, func(s *stage) {
				t.Logf("deleting both pods")
				for _, name := range []string{s.active.Name, s.standby.Name} {
					require.NoError(t, cluster.DeletePod(ctx, env, name))
				}
				gone(ctx, t, env, s)
			})
		},
	}
}
