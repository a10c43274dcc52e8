package lifecycle

import (
	"context"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/judge"
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
			values, err := env.Installer.Change(scenario.ChangePodLabel, map[string]any{"name": name, "value": value})
			require.NoError(t, err)
			plain, err := rendered(env, nil, name)
			require.NoError(t, err)
			again, err := rendered(env, nil, name)
			require.NoError(t, err)
			unstable := plain.differences(again)
			if len(unstable) > 0 {
				t.Logf("not compared, because each render differs: %v", unstable)
			}
			changed, err := rendered(env, values, name)
			require.NoError(t, err)
			require.Empty(t, plain.without(unstable).differences(changed.without(unstable)),
				"what the chart renders with the label")

			// Other scenarios leave the values of their own upgrades.
			apply(ctx, t, env, func(ctx context.Context) error {
				return env.Installer.Upgrade(ctx, scenario.Release{})
			})
			before, err := live(ctx, env, name)
			require.NoError(t, err)
			through(ctx, t, env, judge.OutageConfig, upgrade(env, scenario.ChangePodLabel,
				map[string]any{"name": name, "value": value}))
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			for _, pod := range pods {
				require.Equal(t, value, pod.Labels[name], "label %s of pod %s", name, pod.Name)
			}
			after, err := live(ctx, env, name)
			require.NoError(t, err)
			require.Empty(t, before.differences(after), "objects of the release in the cluster")
		},
	}
}
