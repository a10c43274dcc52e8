package lifecycle

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target/outage"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
	"gitlab.com/steamer/steamer/scenarios/internal/secrets"
)

// through makes a change to a healthy installation and checks what no change may break: the
// installation is healthy afterwards, with new pods where their template changed, every secret is
// unchanged, what an owner wrote before and meanwhile is there, no fetch got a wrong value, and
// the outage was within the budget of the kind of change, one of judge.OutageChanges. It returns
// what became of the pods.
func through(ctx context.Context, t scenario.T, env *scenario.Env, kind string,
	change func(ctx context.Context) error,
) *cluster.Rollout {
	cluster.MustHealthy(ctx, t, env, "the deployment is healthy before the change", env.Timeouts.Ready)
	before, err := secrets.Fingerprint(ctx, env)
	require.NoError(t, err, "before the change")
	owner := write(ctx, t, env)
	defer owner.stop(ctx)
	watch := outage.Fetches(ctx, env)
	defer func() { watch.Stop() }()
	ended, err := cluster.WatchRollout(ctx, env)
	require.NoError(t, err)

	start := time.Now()
	strategy := apply(ctx, t, env, change)
	t.Measure("change_seconds", time.Since(start).Seconds())
	outage.Recovered(ctx, t, env, watch)
	rollout, err := ended()
	require.NoError(t, err)
	t.Measure("leader_changes", float64(len(rollout.Leaders)))
	report := watch.Stop()

	after, err := secrets.Fingerprint(ctx, env)
	require.NoError(t, err, "after the change")
	require.Equal(t, before, after, "hash over all secrets")
	owner.readBack(ctx, t)
	outage.Judge(t, env, kind, strategy, report)
	return rollout
}

// apply makes a change and waits until it has reached the pods and they serve. It returns the
// strategy by which the changed workload replaces its pods.
func apply(ctx context.Context, t scenario.T, env *scenario.Env, change func(ctx context.Context) error) string {
	workload, err := cluster.WorkloadOf(ctx, env)
	require.NoError(t, err)
	pods, err := cluster.Pods(ctx, env)
	require.NoError(t, err)
	old := cluster.UIDs(pods)
	require.NoError(t, change(ctx))
	changed, err := cluster.WorkloadOf(ctx, env)
	require.NoError(t, err)
	if !reflect.DeepEqual(workload.Template, changed.Template) {
		env.Await(ctx, t, "every pod is replaced", env.Timeouts.Upgrade,
			func(ctx context.Context) error { return replaced(ctx, env, old) })
	}
	cluster.MustServe(ctx, t, env)
	return changed.Strategy
}

// replaced returns an error until all pods are new and all exist.
func replaced(ctx context.Context, env *scenario.Env, old []types.UID) error {
	pods, err := cluster.Pods(ctx, env)
	if err != nil {
		return err
	}
	for _, pod := range pods {
		if slices.Contains(old, pod.UID) {
			return fmt.Errorf("pod %s from before the change still exists: %s", pod.Name, cluster.Describe(pods))
		}
	}
	if len(pods) < cluster.Wanted(env) {
		return fmt.Errorf("%d new pods, want %d", len(pods), cluster.Wanted(env))
	}
	return nil
}

// upgrade returns a change that upgrades the chart under test with the values of a change that the
// dialect knows.
func upgrade(env *scenario.Env, change string, with map[string]any) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		values, err := env.Installer.Change(change, with)
		if err != nil {
			return err
		}
		return env.Installer.Upgrade(ctx, scenario.Release{Values: values})
	}
}
