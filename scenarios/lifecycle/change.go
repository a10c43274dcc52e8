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

// through makes a change to a healthy installation and holds the installation to what no change may
// break: it ends healthy, with new pods where their template changed, every secret is what it was,
// and no fetch ever got a wrong value. It measures how long fetches failed meanwhile, beside the
// budget that GitLab publishes.
func through(ctx context.Context, t scenario.T, env *scenario.Env, change func(ctx context.Context) error) {
	cluster.MustHealthy(ctx, t, env, "the deployment is healthy before the change",
		scenario.Convergence{Deadline: env.Timeouts.Ready})
	before, err := secrets.Fingerprint(ctx, env)
	require.NoError(t, err, "before the change")
	watch := outage.Fetches(ctx, env)
	defer func() { watch.Stop() }()

	start := time.Now()
	apply(ctx, t, env, change)
	t.Measure("change_seconds", time.Since(start).Seconds())
	outage.Recovered(ctx, t, env, watch)
	report := watch.Stop()

	after, err := secrets.Fingerprint(ctx, env)
	require.NoError(t, err, "after the change")
	require.Equal(t, before, after, "hash over all secrets")
	outage.Judge(t, env, report)
}

// apply makes a change and waits until it has reached the pods and they serve.
func apply(ctx context.Context, t scenario.T, env *scenario.Env, change func(ctx context.Context) error) {
	workload, err := cluster.WorkloadOf(ctx, env)
	require.NoError(t, err)
	pods, err := cluster.Pods(ctx, env)
	require.NoError(t, err)
	old := cluster.UIDs(pods)
	require.NoError(t, change(ctx))
	changed, err := cluster.WorkloadOf(ctx, env)
	require.NoError(t, err)
	if !reflect.DeepEqual(workload.Template, changed.Template) {
		scenario.MustConverge(ctx, t, scenario.Convergence{
			What: "every pod is replaced", Interval: env.Timeouts.Poll, Deadline: env.Timeouts.Upgrade,
		}, func(ctx context.Context) error { return replaced(ctx, env, old) })
	}
	cluster.MustServe(ctx, t, env)
}

// replaced returns what keeps the pods from being all new and all there.
func replaced(ctx context.Context, env *scenario.Env, old []types.UID) error {
	pods, err := cluster.Pods(ctx, env)
	if err != nil {
		return err
	}
	for _, pod := range pods {
		if slices.Contains(old, pod.UID) {
			return fmt.Errorf("pod %s from before the change is still there: %s", pod.Name, cluster.Describe(pods))
		}
	}
	if len(pods) < cluster.Wanted {
		return fmt.Errorf("%d new pods, want %d", len(pods), cluster.Wanted)
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
