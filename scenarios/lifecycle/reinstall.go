package lifecycle

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
)

func reinstallKeepsData() scenario.Scenario {
	return scenario.Scenario{
		ID:       "lifecycle/reinstall-keeps-data",
		Title:    "helm uninstall keeps the unseal key, and an install on the same database finds every secret",
		Protects: "all secrets from a command that looks harmless: without its key the database is noise",
		Source:   "GitLab's OpenBao chart: the unseal Secret has the resource policy keep",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureInstaller, scenario.FeatureUnsealKey},
		Kind:     scenario.Lifecycle,
		Cost:     scenario.Slow,
		Budget:   10 * time.Minute,
		// Catches: an unseal Secret that goes with the release, an install that makes a new key
		// beside an old database, a bootstrap that initialises twice, left-over hooks that block
		// the install.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			before, err := unsealKey(ctx, env)
			require.NoError(t, err)
			through(ctx, t, env, func(ctx context.Context) error {
				start := time.Now()
				if err := env.Installer.Uninstall(ctx); err != nil {
					return err
				}
				t.Measure("uninstall_seconds", time.Since(start).Seconds())
				kept, err := unsealKey(ctx, env)
				if err != nil {
					return fmt.Errorf("after helm uninstall: %w", err)
				}
				if string(kept) != string(before) {
					return fmt.Errorf("helm uninstall changed the unseal key in Secret %s", env.Unseal.Secret)
				}
				return env.Installer.Install(ctx, scenario.Release{})
			})
			after, err := unsealKey(ctx, env)
			require.NoError(t, err)
			require.True(t, string(before) == string(after), "the install changed the unseal key in Secret %s",
				env.Unseal.Secret)
		},
	}
}

// unsealKey reads the static unseal key. Its errors never hold it.
func unsealKey(ctx context.Context, env *scenario.Env) ([]byte, error) {
	secret, err := env.Kube.CoreV1().Secrets(env.Namespace).Get(ctx, env.Unseal.Secret, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("unseal key: %w", err)
	}
	key := secret.Data[env.Unseal.Key]
	if len(key) == 0 {
		return nil, fmt.Errorf("unseal key: Secret %s has no key %s", env.Unseal.Secret, env.Unseal.Key)
	}
	return key, nil
}
