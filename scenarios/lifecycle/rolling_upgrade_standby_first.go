package lifecycle

import (
	"context"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func rollingUpgradeStandbyFirst() scenario.Scenario {
	return scenario.Scenario{
		ID:       "lifecycle/rolling-upgrade-standby-first",
		Subject:  scenario.SubjectChart,
		Title:    "A rolling upgrade that replaces the active pod last changes the leader once",
		Protects: "pipelines during the upgrade with the shortest interruption that the chart offers",
		Source:   "OpenBao's HA upgrade guide: standbys first, then the active node; Kubernetes' pod-deletion-cost",
		Features: []scenario.Feature{
			scenario.FeatureCluster, scenario.FeatureInstaller,
			scenario.Change(scenario.ChangeRolling),
		},
		Rights: []scenario.Right{{Verbs: "patch", Resource: "pods"}},
		// Catches: what lifecycle/rolling-upgrade catches, and a rollout that ignores a pod's
		// deletion cost.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			active := cluster.MustHealthy(ctx, t, env, "one pod is active", env.Timeouts.Ready)
			// The one step that the chart's notes require of the operator.
			patch := []byte(`{"metadata":{"annotations":{"controller.kubernetes.io/pod-deletion-cost":"1000"}}}`)
			_, err := env.Kube.CoreV1().Pods(env.Namespace).Patch(ctx, active.Name, types.StrategicMergePatchType, patch,
				metav1.PatchOptions{})
			require.NoError(t, err)
			rollout := oneByOne(ctx, t, env)
			require.Len(t, rollout.Ended, cluster.Wanted(env), "pods of before that were asked to end")
			require.Equal(t, active.UID, rollout.Ended[cluster.Wanted(env)-1], "the active pod %s is not the last to end",
				active.Name)
			require.Len(t, rollout.Leaders, 1, "changes of the leader")
		},
	}
}
