package lifecycle

import (
	"context"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func valuesOverride() scenario.Scenario {
	return scenario.Scenario{
		ID:       "lifecycle/values-override",
		Subject:  scenario.SubjectChart,
		Title:    "A user's value reaches the pods and changes nothing else",
		Protects: "users who customise the chart: an ignored value is noticed only in production",
		Source:   "GitLab issue 594357 (overriding values lost mounts)",
		Features: []scenario.Feature{
			scenario.FeatureCluster, scenario.FeatureInstaller,
			scenario.Change(scenario.ChangePodLabel),
		},
		// Catches: values that templates ignore, labels that replace the ones that selectors need,
		// an override that loses volumes or the configuration.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			const name, value = "steamer-override", "here"
			before, err := cluster.WorkloadOf(ctx, env)
			require.NoError(t, err)
			through(ctx, t, env, upgrade(env, scenario.ChangePodLabel, map[string]any{"name": name, "value": value}))
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			for _, pod := range pods {
				require.Equal(t, value, pod.Labels[name], "label %s of pod %s", name, pod.Name)
			}
			after, err := cluster.WorkloadOf(ctx, env)
			require.NoError(t, err)
			require.Equal(t, len(before.Template.Spec.Volumes), len(after.Template.Spec.Volumes), "number of volumes")
			require.Equal(t, before.Replicas, after.Replicas, "number of pods")
		},
	}
}
