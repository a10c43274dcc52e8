package lifecycle

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func upgradeFromPrevious() scenario.Scenario {
	return scenario.Scenario{
		ID:       "lifecycle/upgrade-from-previous",
		Subject:  scenario.SubjectChart,
		Title:    "An upgrade of what the chart's previous release installed and seeded keeps every secret",
		Protects: "everyone who already runs the chart",
		Source:   "GitLab issue 583856 (upgrades from earlier releases)",
		Features: []scenario.Feature{
			scenario.FeatureCluster, scenario.FeatureInstaller, scenario.FeaturePrevious, scenario.FeatureDatabase,
			scenario.FeatureUnsealKey,
		},
		Budget: 15 * time.Minute,
		// Catches: a changed selector (immutable in Kubernetes), renamed Secrets, moved key
		// paths, hooks that fail on an initialised database, values that no longer validate, data
		// of the previous release that this one cannot read.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			require.NoError(t, env.Installer.Uninstall(ctx))
			t.Logf("installing the previous release on an empty database")
			require.NoError(t, pristine(ctx, env))
			require.NoError(t, env.Installer.Install(ctx, scenario.Release{Chart: env.Previous}))
			cluster.MustHealthy(ctx, t, env, "the previous release is healthy", env.Timeouts.Ready)
			require.NoError(t, provision(ctx, env), "provisioning the projects again")
			cluster.MustServe(ctx, t, env)
			through(ctx, t, env, judge.OutageUpgrade,
				func(ctx context.Context) error { return env.Installer.Upgrade(ctx, scenario.Release{}) })
		},
	}
}

// pristine empties the database and removes the unseal key, as before the first install. Where the
// chart makes no key, there is a new one.
func pristine(ctx context.Context, env *scenario.Env) error {
	err := env.Kube.CoreV1().Secrets(env.Namespace).Delete(ctx, env.Unseal.Secret, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("unseal key: %w", err)
	}
	if env.Unseal.External {
		if err := cluster.PutUnsealKey(ctx, env, cluster.NewUnsealKey()); err != nil {
			return err
		}
	}
	return env.Database.Restore(ctx, nil)
}

// provision provisions the environment's tenants again, as Rails does.
func provision(ctx context.Context, env *scenario.Env) error {
	recipes := env.Recipes
	if recipes == nil {
		var err error
		if recipes, err = gitlab.Recipes(); err != nil {
			return err
		}
	}
	seeder := &gitlab.Seeder{
		Client: env.Client, Issuer: env.Issuer, Audience: env.Audience, Seed: env.Seed, Recipes: recipes, Replay: true,
	}
	_, err := seeder.Run(ctx, env.Tenants)
	return err
}
