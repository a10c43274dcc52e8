package lifecycle

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func rollingUpgrade() scenario.Scenario {
	return scenario.Scenario{
		ID:       "lifecycle/rolling-upgrade",
		Title:    "With the rolling strategy an upgrade replaces one pod after the other and keeps every secret",
		Protects: "pipelines during an upgrade that is meant to be short",
		Source:   "GitLab issue 595721 (upgrades without downtime)",
		Features: append([]scenario.Feature{scenario.FeatureCluster, scenario.FeatureInstaller},
			scenario.Changes(scenario.ChangeRolling)...),
		Rights: []scenario.Right{{Verbs: "patch", Resource: "pods"}},
		Kind:   scenario.Lifecycle,
		Cost:   scenario.Slow,
		Budget: 10 * time.Minute,
		// Catches: a strategy that the templates ignore, a surge pod that two nodes cannot hold,
		// a readiness probe that lets the active pod go before a standby is unsealed.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) { through(ctx, t, env, roll(env)) },
	}
}

func rollingStandbyFirst() scenario.Scenario {
	return scenario.Scenario{
		ID:       "lifecycle/rolling-upgrade-standby-first",
		Title:    "A rolling upgrade that spares the active pod until last changes the leader once",
		Protects: "pipelines during the upgrade with the shortest interruption that the chart offers",
		Source:   "OpenBao's HA upgrade guide: standbys first, then the active node; Kubernetes' pod-deletion-cost",
		Features: append([]scenario.Feature{scenario.FeatureCluster, scenario.FeatureInstaller},
			scenario.Changes(scenario.ChangeRolling)...),
		Rights: []scenario.Right{{Verbs: "patch", Resource: "pods"}},
		Kind:   scenario.Lifecycle,
		Cost:   scenario.Slow,
		Budget: 10 * time.Minute,
		// Catches: what lifecycle/rolling-upgrade catches, and a rollout that does not heed the
		// cost of a pod.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			active := cluster.MustHealthy(ctx, t, env, "one pod is active", scenario.Convergence{Deadline: env.Timeouts.Ready})
			// The one step that the chart's notes ask of the operator.
			patch := []byte(`{"metadata":{"annotations":{"controller.kubernetes.io/pod-deletion-cost":"1000"}}}`)
			_, err := env.Kube.CoreV1().Pods(env.Namespace).Patch(ctx, active.Name, types.StrategicMergePatchType, patch,
				metav1.PatchOptions{})
			require.NoError(t, err)
			through(ctx, t, env, roll(env))
		},
	}
}

// roll returns a change that replaces the pods by the rolling strategy and changes nothing else.
func roll(env *scenario.Env) func(ctx context.Context) error {
	return upgrade(env, scenario.ChangeRolling, map[string]any{"stamp": time.Now().UTC().Format(time.RFC3339Nano)})
}
