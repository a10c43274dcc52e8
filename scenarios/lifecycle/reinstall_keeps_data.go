package lifecycle

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func reinstallKeepsData() scenario.Scenario {
	return scenario.Scenario{
		ID:       "lifecycle/reinstall-keeps-data",
		Subject:  scenario.SubjectChart,
		Title:    "helm uninstall keeps the unseal key, and a new install on the same database has every secret",
		Protects: "all secrets from a command that looks harmless: without its key the database is unreadable",
		Source:   "GitLab's OpenBao chart: the unseal Secret has the resource policy keep",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureInstaller, scenario.FeatureUnsealKey},
		// Catches: an unseal Secret that is deleted with the release, an install that creates a
		// new key for an old database, an initialisation that runs twice, hooks that block the
		// install.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			before, err := cluster.UnsealKey(ctx, env)
			require.NoError(t, err)
			through(ctx, t, env, judge.OutageReinstall, func(ctx context.Context) error {
				start := time.Now()
				if err := env.Installer.Uninstall(ctx); err != nil {
					return err
				}
				t.Measure("uninstall_seconds", time.Since(start).Seconds())
				kept, err := cluster.UnsealKey(ctx, env)
				if err != nil {
					return fmt.Errorf("after helm uninstall: %w", err)
				}
				if string(kept) != string(before) {
					return fmt.Errorf("helm uninstall changed the unseal key in Secret %s", env.Unseal.Secret)
				}
				return env.Installer.Install(ctx, scenario.Release{})
			})
			after, err := cluster.UnsealKey(ctx, env)
			require.NoError(t, err)
			require.True(t, string(before) == string(after), "the install changed the unseal key in Secret %s",
				env.Unseal.Secret)
		},
	}
}
