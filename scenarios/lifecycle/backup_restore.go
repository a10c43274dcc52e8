package lifecycle

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target/outage"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
	"gitlab.com/steamer/steamer/scenarios/internal/secrets"
)

func backupRestore() scenario.Scenario {
	return scenario.Scenario{
		ID:    "lifecycle/backup-restore",
		Title: "A backup of database and unseal key brings every secret back into a fresh install; the wrong key is refused loudly",
		Protects: "the last line of defence: a backup that cannot be restored is found out on the worst day, " +
			"and a wrong key must not look like an empty vault",
		Source: "GitLab's OpenBao chart, backup and restore; troubleshooting: cipher: message authentication failed",
		Features: []scenario.Feature{
			scenario.FeatureCluster, scenario.FeatureInstaller, scenario.FeatureDatabase, scenario.FeatureUnsealKey,
		},
		Rights: []scenario.Right{
			{Verbs: "update", Group: "apps", Resource: "deployments/scale"}, {
				Verbs: "update", Group: "apps",
				Resource: "statefulsets/scale",
			},
		},
		Kind:   scenario.Lifecycle,
		Cost:   scenario.Slow,
		Budget: 15 * time.Minute,
		// Catches: state outside the database and the unseal Secret, an install that cannot take
		// over a restored database, a server that initialises itself again when it cannot read what
		// is there.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			cluster.MustHealthy(ctx, t, env, "the deployment is healthy before the backup",
				scenario.Convergence{Deadline: env.Timeouts.Ready})
			before, err := secrets.Fingerprint(ctx, env)
			require.NoError(t, err)
			key, err := unsealKey(ctx, env)
			require.NoError(t, err)
			dump, err := env.Database.Dump(ctx)
			require.NoError(t, err)
			t.Measure("backup_bytes", float64(len(dump)))
			watch := outage.Fetches(ctx, env)
			defer func() { watch.Stop() }()

			t.Logf("losing everything: release, unseal key, database")
			require.NoError(t, env.Installer.Uninstall(ctx))
			require.NoError(t, env.Kube.CoreV1().Secrets(env.Namespace).Delete(ctx, env.Unseal.Secret, metav1.DeleteOptions{}))
			require.NoError(t, env.Database.Restore(ctx, nil))
			if env.Unseal.External { // the chart makes no key of its own: the operator brings one
				another := make([]byte, keyBytes)
				_, err = rand.Read(another)
				require.NoError(t, err)
				require.NoError(t, putKey(ctx, env, another))
			}
			require.NoError(t, env.Installer.Install(ctx, scenario.Release{}))
			cluster.MustHealthy(ctx, t, env, "the fresh install is healthy", scenario.Convergence{Deadline: env.Timeouts.Ready})
			scenario.MustConverge(ctx, t, scenario.Convergence{
				What: "the fresh install refuses a fetch: it must not know the old secrets", Interval: env.Timeouts.Poll,
				Deadline: env.Timeouts.Failover,
			}, func(ctx context.Context) error { return refused(ctx, env) })

			t.Logf("restoring the database beside the fresh install's own unseal key, which is the wrong one")
			stop(ctx, t, env)
			require.NoError(t, env.Database.Restore(ctx, dump))
			require.NoError(t, cluster.Scale(ctx, env, cluster.Wanted))
			scenario.MustConverge(ctx, t, scenario.Convergence{
				What: "a pod says that it cannot decrypt the database", Interval: env.Timeouts.Poll, Deadline: env.Timeouts.Ready,
			}, func(ctx context.Context) error { return refusesKey(ctx, env) })
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			for _, pod := range pods {
				require.False(t, cluster.Ready(pod), "pod %s is ready with the wrong key", pod.Name)
			}

			t.Logf("restoring the unseal key")
			start := time.Now()
			stop(ctx, t, env)
			require.NoError(t, putKey(ctx, env, key))
			require.NoError(t, cluster.Scale(ctx, env, cluster.Wanted))
			cluster.MustServe(ctx, t, env)
			t.Measure("restart_seconds", time.Since(start).Seconds())
			after, err := secrets.Fingerprint(ctx, env)
			require.NoError(t, err)
			require.Equal(t, before, after, "hash over all secrets")
			outage.Recovered(ctx, t, env, watch)
			outage.Judge(t, env, watch.Stop())
		},
	}
}

// stop scales the workload to nothing and waits until its pods are gone: nothing may write to a
// database that is being replaced.
func stop(ctx context.Context, t scenario.T, env *scenario.Env) {
	require.NoError(t, cluster.Scale(ctx, env, 0))
	scenario.MustConverge(ctx, t, scenario.Convergence{
		What: "no pod is left", Interval: env.Timeouts.Poll, Deadline: env.Timeouts.Ready,
	}, func(ctx context.Context) error {
		pods, err := cluster.Pods(ctx, env)
		if err == nil && len(pods) > 0 {
			err = fmt.Errorf("still there: %s", cluster.Describe(pods))
		}
		return err
	})
}

// putKey writes the static unseal key into the Secret that the chart reads it from, and makes the
// Secret if it is not there.
func putKey(ctx context.Context, env *scenario.Env, key []byte) error {
	all, data := env.Kube.CoreV1().Secrets(env.Namespace), map[string][]byte{env.Unseal.Key: key}
	secret, err := all.Get(ctx, env.Unseal.Secret, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = all.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: env.Unseal.Secret}, Data: data},
			metav1.CreateOptions{})
	case err == nil:
		secret.Data = data
		_, err = all.Update(ctx, secret, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("unseal key: %w", err)
	}
	return nil
}

// refused returns nil when a fetch of a seeded secret is answered, and refused.
func refused(ctx context.Context, env *scenario.Env) error {
	tenant := env.Tenants[0]
	answer, err := env.Fetch(ctx, tenant, tenant.Secrets[0].Name, gitlab.DefaultJob())
	if err == nil && (answer.Status < 400 || answer.Status >= 500) {
		err = fmt.Errorf("%s of %s: %v", tenant.Secrets[0].Name, tenant.Name, answer)
	}
	return err
}

// refusesKey returns nil when a pod's log tells the operator that the unseal key does not fit the
// database.
func refusesKey(ctx context.Context, env *scenario.Env) error {
	pods, err := cluster.Pods(ctx, env)
	if err != nil {
		return err
	}
	for _, pod := range pods {
		log, err := cluster.Log(ctx, env, pod.Name)
		if err == nil && strings.Contains(log, "message authentication failed") {
			return nil
		}
	}
	return fmt.Errorf("no log says so: %s", cluster.Describe(pods))
}
