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

// withSink installs an additional audit device of type http and waits until the new pods serve.
// The caller must call restore when done.
func withSink(ctx context.Context, t scenario.T, env *scenario.Env, url string) (restore func()) {
	t.Helper()
	values, err := env.Installer.Change(scenario.ChangeAuditHTTP,
		map[string]any{"url": url, "secret": env.AuditSink.Secret, "key": env.AuditSink.Key})
	require.NoError(t, err)
	restore = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), env.Timeouts.Upgrade)
		defer cancel()
		if env.GitLab != nil {
			if err := env.GitLab.Disturb(ctx, map[string]scenario.Failure{scenario.EndpointAudit: {}}); err != nil {
				t.Errorf("removing the audit sink's fault: %v", err)
			}
		}
		if err := env.Installer.Upgrade(ctx, scenario.Release{}); err != nil {
			t.Errorf("restoring the environment: %v", err)
			return
		}
		cluster.MustServe(ctx, t, env)
	}
	if err := env.Installer.Upgrade(ctx, scenario.Release{Values: values}); err != nil {
		restore()
		require.NoError(t, err)
	}
	cluster.MustServe(ctx, t, env)
	return restore
}

// received is how many requests the sink has got.
func received(ctx context.Context, t scenario.T, env *scenario.Env) int64 {
	t.Helper()
	requests, err := env.GitLab.Requests(ctx)
	require.NoError(t, err)
	return requests[scenario.EndpointAudit]
}

// fetchAll fetches some secrets and expects each within Timeouts.Try and this much more.
func fetchAll(ctx context.Context, t scenario.T, env *scenario.Env, more time.Duration) {
	t.Helper()
	for i := range sinkFetches {
		tenant := env.Tenants[i%len(env.Tenants)]
		a, err := env.Read(ctx, tenant, tenant.Secrets[0])
		require.NoError(t, err)
		require.LessOrEqual(t, a.Latency, env.Timeouts.Try+more, "%s of %s", tenant.Secrets[0].Name, tenant.Name)
	}
}
