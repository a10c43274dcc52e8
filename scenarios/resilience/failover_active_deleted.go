package resilience

import (
	"context"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// lockSource is the source of the limits of the failover scenarios.
const lockSource = "OpenBao's PostgreSQL HA lock: a clean shutdown releases it, a crash leaves it for its TTL of 15 s"

func failoverActiveDeleted() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/failover-active-deleted",
		Subject:  scenario.SubjectChart,
		Title:    "After the active pod is deleted, the standby takes over and fetches work again",
		Protects: "pipelines during node drains, evictions and rollouts",
		Source:   lockSource,
		Features: []scenario.Feature{scenario.FeatureCluster},
		Core:     true,
		// Catches: a standby that cannot unseal or take the lock, labels that do not follow, an
		// unclean shutdown after which the lock must expire, a deployment of one pod.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			before, after := disturb(ctx, t, env, judge.OutageFailover, func(s *stage) {
				t.Logf("deleting the active pod %s", s.active.Name)
				require.NoError(t, cluster.DeletePod(ctx, env, s.active.Name))
				takenOver(ctx, t, env, s.active)
			})
			require.NotEqual(t, before.UID, after.UID, "the deleted pod is still the active one")
		},
	}
}
