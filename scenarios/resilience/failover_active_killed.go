package resilience

import (
	"context"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
)

func failoverActiveKilled() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/failover-active-killed",
		Subject:  scenario.SubjectChart,
		Title:    "After the active process is killed, the standby takes over when the lock expires",
		Protects: "pipelines when OpenBao crashes, runs out of memory or loses its node",
		Source:   lockSource,
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureSignals},
		// Catches: a lock that outlives its TTL, a standby that gives up waiting, a container that
		// does not restart, a killed pod that keeps the active label.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			disturb(ctx, t, env, judge.OutageCrash, func(s *stage) {
				t.Logf("killing OpenBao in the active pod %s", s.active.Name)
				s.planned = append(s.planned, s.active.UID)
				require.NoError(t, env.Processes.Signal(ctx, env.Namespace, s.active.Name, env.Container, "KILL"))
				interrupted(ctx, t, env, s)
			})
		},
	}
}
