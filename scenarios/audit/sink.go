package audit

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// sinkFetches is how many fetches are made against each state of the sink.
const sinkFetches = 10

// withSink installs an audit device of type http beside the others and waits until the new pods
// serve. Call back in the end.
func withSink(ctx context.Context, t scenario.T, env *scenario.Env, url string) (back func()) {
	t.Helper()
	values, err := env.Installer.Change(scenario.ChangeAuditHTTP,
		map[string]any{"url": url, "secret": env.AuditSink.Secret, "key": env.AuditSink.Key})
	require.NoError(t, err)
	back = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), env.Timeouts.Upgrade)
		defer cancel()
		if env.GitLab != nil {
			if err := env.GitLab.Disturb(ctx, map[string]scenario.Failure{scenario.EndpointAudit: {}}); err != nil {
				t.Errorf("the sink's fault could not be lifted: %v", err)
			}
		}
		if err := env.Installer.Upgrade(ctx, scenario.Release{}); err != nil {
			t.Errorf("the environment could not be brought back: %v", err)
			return
		}
		cluster.MustServe(ctx, t, env)
	}
	if err := env.Installer.Upgrade(ctx, scenario.Release{Values: values}); err != nil {
		back()
		require.NoError(t, err)
	}
	cluster.MustServe(ctx, t, env)
	return back
}

// received is how many requests the sink has got.
func received(ctx context.Context, t scenario.T, env *scenario.Env) int64 {
	t.Helper()
	requests, err := env.GitLab.Requests(ctx)
	require.NoError(t, err)
	return requests[scenario.EndpointAudit]
}

// fetchAll fetches some secrets, each of which has to come, and no later than more after what is
// usual here.
func fetchAll(ctx context.Context, t scenario.T, env *scenario.Env, more time.Duration) {
	t.Helper()
	for i := range sinkFetches {
		tenant := env.Tenants[i%len(env.Tenants)]
		a, err := env.Read(ctx, tenant, tenant.Secrets[0])
		require.NoError(t, err)
		require.LessOrEqual(t, a.Latency, env.Timeouts.Try+more, "%s of %s", tenant.Secrets[0].Name, tenant.Name)
	}
}
