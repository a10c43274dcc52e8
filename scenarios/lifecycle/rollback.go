package lifecycle

import (
	"context"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func rollback() scenario.Scenario {
	return scenario.Scenario{
		ID:       "lifecycle/rollback",
		Subject:  scenario.SubjectChart,
		Title:    "helm rollback restores the previous configuration and keeps every secret",
		Protects: "the way back from a bad change, without a backup",
		Source:   "GitLab's administration guide of the secrets manager",
		Features: []scenario.Feature{
			scenario.FeatureCluster, scenario.FeatureInstaller,
			scenario.Change(scenario.ChangeCacheSize),
		},
		// Catches: hooks that cannot run twice, an unseal Secret that the rollback takes away or
		// generates again, a pod template that does not follow the restored configuration.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			cluster.MustHealthy(ctx, t, env, "the deployment is healthy before the change", env.Timeouts.Ready)
			before, err := snapshot(ctx, env)
			require.NoError(t, err)
			apply(ctx, t, env, upgrade(env, scenario.ChangeCacheSize, map[string]any{"size": before.cacheSize + 7}))

			through(ctx, t, env, judge.OutageRollback, env.Installer.Rollback)
			after, err := snapshot(ctx, env)
			require.NoError(t, err)
			require.Equal(t, before, after, "configuration after the rollback")
		},
	}
}
