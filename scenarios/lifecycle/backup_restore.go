package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target/outage"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
	"gitlab.com/steamer/steamer/scenarios/internal/secrets"
)

func backupRestore() scenario.Scenario {
	return scenario.Scenario{
		ID:       "lifecycle/backup-restore",
		Subject:  scenario.SubjectChart,
		Title:    "A backup of database and unseal key restores every secret, and a wrong key is reported",
		Protects: "recovery from a disaster: a backup must be restorable, and a wrong key must be noticed",
		Source:   "GitLab's OpenBao chart, backup and restore; troubleshooting: cipher: message authentication failed",
		Features: []scenario.Feature{
			scenario.FeatureCluster, scenario.FeatureInstaller, scenario.FeatureDatabase, scenario.FeatureUnsealKey,
		},
		Rights: []scenario.Right{
			{Verbs: "update", Group: "apps", Resource: "deployments/scale"}, {
				Verbs: "update", Group: "apps",
				Resource: "statefulsets/scale",
			},
		},
		Budget: 15 * time.Minute,
		// Catches: state outside the database and the unseal Secret, an install that cannot take
		// over a restored database, a server that initialises itself again when it cannot read
		// what is there, a rollback that brings back the key from before the restore.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			cluster.MustHealthy(ctx, t, env, "the deployment is healthy before the backup", env.Timeouts.Ready)
			before, err := secrets.Fingerprint(ctx, env)
			require.NoError(t, err)
			key, err := cluster.UnsealKey(ctx, env)
			require.NoError(t, err)
			dump, err := env.Database.Dump(ctx)
			require.NoError(t, err)
			t.Measure("backup_bytes", float64(len(dump)))
			watch := outage.Fetches(ctx, env)
			defer func() { watch.Stop() }()

			t.Logf("deleting the release, the unseal key and the database")
			require.NoError(t, env.Installer.Uninstall(ctx))
			require.NoError(t, env.Kube.CoreV1().Secrets(env.Namespace).Delete(ctx, env.Unseal.Secret, metav1.DeleteOptions{}))
			require.NoError(t, env.Database.Restore(ctx, nil))
			if env.Unseal.External { // the chart creates no key, so the operator provides one
				require.NoError(t, cluster.PutUnsealKey(ctx, env, cluster.NewUnsealKey()))
			}
			require.NoError(t, env.Installer.Install(ctx, scenario.Release{}))
			cluster.MustHealthy(ctx, t, env, "the new install is healthy", env.Timeouts.Ready)
			env.Await(ctx, t, "the new install refuses a fetch of an old secret", env.Timeouts.Failover,
				func(ctx context.Context) error { return refused(ctx, env) })

			t.Logf("restoring the database with the new install's unseal key, which is wrong")
			stop(ctx, t, env)
			require.NoError(t, env.Database.Restore(ctx, dump))
			require.NoError(t, cluster.Scale(ctx, env, int32(cluster.Wanted(env))))
			env.Await(ctx, t, "a pod reports that it cannot decrypt the database", env.Timeouts.Ready,
				func(ctx context.Context) error { return refusesKey(ctx, env) })
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			for _, pod := range pods {
				require.False(t, cluster.Ready(pod), "pod %s is ready with the wrong key", pod.Name)
			}

			t.Logf("restoring the unseal key")
			start := time.Now()
			stop(ctx, t, env)
			require.NoError(t, cluster.PutUnsealKey(ctx, env, key))
			require.NoError(t, cluster.Scale(ctx, env, int32(cluster.Wanted(env))))
			cluster.MustServe(ctx, t, env)
			t.Measure("restart_seconds", time.Since(start).Seconds())
			after, err := secrets.Fingerprint(ctx, env)
			require.NoError(t, err)
			require.Equal(t, before, after, "hash over all secrets")
			outage.Recovered(ctx, t, env, watch)
			outage.Judge(t, env, judge.OutageRestore, "", watch.Stop())
			rollbackKeepsKey(ctx, t, env, key)
		},
	}
}

// rollbackKeepsKey rolls back to the revision that made the new install, whose key was another. A
// chart whose key belongs to the release brings that one back, and the data is lost to its next
// pods.
func rollbackKeepsKey(ctx context.Context, t scenario.T, env *scenario.Env, key []byte) {
	t.Logf("upgrading without a change, and rolling back to the new install's revision")
	require.NoError(t, env.Installer.Upgrade(ctx, scenario.Release{}))
	require.NoError(t, env.Installer.Rollback(ctx))
	now, err := cluster.UnsealKey(ctx, env)
	if bytes.Equal(key, now) {
		cluster.MustServe(ctx, t, env) // a rollback replaces pods where their Secret had changed
		return
	}
	if err == nil {
		err = errors.New("the Secret holds another key")
	}
	t.Errorf("a rollback to the revision of the new install loses the restored unseal key: %v", err)
	require.NoError(t, cluster.PutUnsealKey(ctx, env, key))
	require.NoError(t, env.Installer.Upgrade(ctx, scenario.Release{})) // later rollbacks lead to a revision with this key
	cluster.MustServe(ctx, t, env)
}

// stop scales the workload to zero and waits until its pods are gone, because nothing may write to
// a database that is being replaced.
func stop(ctx context.Context, t scenario.T, env *scenario.Env) {
	require.NoError(t, cluster.Scale(ctx, env, 0))
	env.Await(ctx, t, "no pod is left", env.Timeouts.Ready, func(ctx context.Context) error {
		pods, err := cluster.Pods(ctx, env)
		if err == nil && len(pods) > 0 {
			err = fmt.Errorf("still running: %s", cluster.Describe(pods))
		}
		return err
	})
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

// refusesKey returns nil when a pod's log reports that the unseal key does not match the database.
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
	return fmt.Errorf("no log reports it: %s", cluster.Describe(pods))
}
