package lifecycle

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func upgradeFromPrevious() scenario.Scenario {
	return scenario.Scenario{
		ID:       "lifecycle/upgrade-from-previous",
		Subject:  scenario.SubjectChart,
		Title:    "An upgrade from the chart's previous release keeps every secret",
		Protects: "everyone who already runs the chart",
		Source:   "GitLab issue 583856 (upgrades from earlier releases)",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureInstaller, scenario.FeaturePrevious},
		Budget:   15 * time.Minute,
		// Catches: a changed selector (immutable in Kubernetes), renamed Secrets, moved key
		// paths, hooks that fail on an initialised database, values that no longer validate.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			require.NoError(t, env.Installer.Uninstall(ctx))
			require.NoError(t, env.Installer.Install(ctx, scenario.Release{Chart: env.Previous}))
			cluster.MustServe(ctx, t, env)
			through(ctx, t, env, func(ctx context.Context) error { return env.Installer.Upgrade(ctx, scenario.Release{}) })
		},
	}
}
