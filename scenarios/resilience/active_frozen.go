package resilience

import (
	"context"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
)

func activeFrozen() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/active-frozen",
		Subject:  scenario.SubjectChart,
		Title:    "A frozen active pod gets no fetch once the standby has taken over, and does no harm when it wakes up",
		Protects: "pipelines when a node's disk or memory stalls: the pod keeps its label and its connections",
		Source: "OpenBao's service-registration/kubernetes: the active Service must not publish pods that are not ready; " +
			lockSource,
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureSignals},
		// Catches: a Service that publishes unready pods behind the leader's label, readiness that
		// a frozen server passes, a former leader that writes when it wakes up.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			before, after := disturb(ctx, t, env, judge.OutageFrozen, func(s *stage) {
				frozen := s.active.Name
				s.planned = append(s.planned, s.active.UID) // its liveness probe may end it
				signal := func(ctx context.Context, name string) error {
					return env.Processes.Signal(ctx, env.Namespace, frozen, env.Container, name)
				}
				t.Logf("freezing OpenBao in the active pod %s", frozen)
				require.NoError(t, signal(ctx, "STOP"))
				defer func() {
					// A container that its liveness probe ended runs again, and needs no signal.
					if err := signal(context.WithoutCancel(ctx), "CONT"); err != nil {
						t.Logf("waking the pod up: %v", err)
					}
				}()
				takenOver(ctx, t, env, s.active)
				outOfService(ctx, t, env, frozen, "frozen")
				recovered(ctx, t, env)
			})
			require.NotEqual(t, before.UID, after.UID, "the frozen pod is active again, although another had taken over")
		},
	}
}
