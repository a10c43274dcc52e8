package resilience

import (
	"context"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func standbyLost() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/standby-lost",
		Subject:  scenario.SubjectChart,
		Title:    "Losing the standby fails no fetch, and a new standby replaces it",
		Protects: "pipelines from a failure that should not affect them",
		Source:   "GitLab's OpenBao chart: the active Service leads only to the active pod",
		Features: []scenario.Feature{scenario.FeatureCluster},
		// Catches: a Service that also leads to standbys, an active pod that steps down when its
		// standby is lost.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			before, after := disturb(ctx, t, env, judge.OutageStandbyLost, func(s *stage) {
				t.Logf("deleting the standby %s", s.standby.Name)
				require.NoError(t, cluster.DeletePod(ctx, env, s.standby.Name))
				replacement(ctx, t, env, s)
			})
			require.Equal(t, before.UID, after.UID, "leadership moved although only the standby was deleted")
		},
	}
}
