package resilience

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// lockSource is where the limits of the fail-over scenarios come from.
const lockSource = "OpenBao's PostgreSQL HA lock: a clean shutdown gives it up at once, a crash leaves it for its TTL of 15 s"

func failoverActiveDeleted() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/failover-active-deleted",
		Title:    "When the active pod is deleted the standby takes over and fetches work again",
		Protects: "pipelines during node drains, evictions and roll-outs",
		Source:   lockSource,
		Features: []scenario.Feature{scenario.FeatureCluster},
		Kind:     scenario.Fault,
		Budget:   6 * time.Minute,
		// Catches: a standby that cannot unseal or take the lock, labels that do not
		// follow, an unclean shutdown that waits out the lock, a deployment of one.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			before, after := disturb(ctx, t, env, env.Timeouts.Handover, func(s *stage) {
				t.Logf("deleting the active pod %s", s.active.Name)
				require.NoError(t, env.Kube.CoreV1().Pods(env.Namespace).Delete(ctx, s.active.Name, metav1.DeleteOptions{}))
				takenOver(ctx, t, env, s.active)
			})
			require.NotEqual(t, before.UID, after.UID, "the deleted pod is still the active one")
		},
	}
}

func failoverActiveKilled() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/failover-active-killed",
		Title:    "When the active process is killed the standby takes over once its lock has run out",
		Protects: "pipelines when OpenBao crashes, runs out of memory or loses its node",
		Source:   lockSource,
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureSignals},
		Kind:     scenario.Fault,
		Cost:     scenario.Slow,
		Budget:   6 * time.Minute,
		// Catches: a lock that outlives its TTL, a standby that gives up waiting, a container that
		// does not start again, a killed pod that keeps the active label.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			disturb(ctx, t, env, env.Timeouts.Takeover, func(s *stage) {
				t.Logf("killing OpenBao in the active pod %s", s.active.Name)
				s.planned = append(s.planned, s.active.UID)
				require.NoError(t, env.Processes.Signal(ctx, env.Namespace, s.active.Name, env.Container, "KILL"))
				interrupted(ctx, t, env, s)
			})
		},
	}
}

func bothPodsLost() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/both-pods-lost",
		Title:    "When both pods go at once new ones come up, unseal themselves and serve",
		Protects: "pipelines after a power cut or a cluster's restart, with nobody there to unseal",
		Source:   "GitLab's administration guide of the secrets manager: restarts",
		Features: []scenario.Feature{scenario.FeatureCluster},
		Kind:     scenario.Fault,
		Cost:     scenario.Slow,
		Budget:   6 * time.Minute,
		// Catches: an unseal key that only a running pod has, pods that wait for each other, a
		// second self-initialisation.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			disturb(ctx, t, env, env.Timeouts.Failover, func(s *stage) {
				t.Logf("deleting both pods")
				for _, name := range []string{s.active.Name, s.standby.Name} {
					require.NoError(t, env.Kube.CoreV1().Pods(env.Namespace).Delete(ctx, name, metav1.DeleteOptions{}))
				}
				gone(ctx, t, env, s)
			})
		},
	}
}

func standbyLost() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/standby-lost",
		Title:    "When the standby goes no fetch fails, and another one takes its place",
		Protects: "pipelines from what should not concern them",
		Source:   "GitLab's OpenBao chart: the active Service leads to the active pod only",
		Features: []scenario.Feature{scenario.FeatureCluster},
		Kind:     scenario.Fault,
		Cost:     scenario.Slow,
		Budget:   6 * time.Minute,
		// Catches: a Service that leads to standbys as well, a leader that gives way when its
		// standby goes.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			before, after := disturb(ctx, t, env, 0, func(s *stage) {
				t.Logf("deleting the standby %s", s.standby.Name)
				require.NoError(t, env.Kube.CoreV1().Pods(env.Namespace).Delete(ctx, s.standby.Name, metav1.DeleteOptions{}))
				replacement(ctx, t, env, s)
			})
			require.Equal(t, before.UID, after.UID, "leadership moved although only the standby went")
		},
	}
}
