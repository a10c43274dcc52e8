package audit

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// perFetch is how many records a fetch leaves, see fetch-four-records.
const perFetch = 4

// sinkFetches is how many fetches are made against each state of the sink.
const sinkFetches = 10

// sinkDelay is what a slow sink takes for a record. Devices are written one after the other, so
// that a fetch takes four times that longer.
const sinkDelay = 200 * time.Millisecond

func httpSink() scenario.Scenario {
	return scenario.Scenario{
		ID:       "audit/http-sink",
		Title:    "GitLab's receiver gets every record, and fetches go on while it is slow, failing, black-holed, or back again",
		Protects: "pipelines from a GitLab that is busy, and the audit trail from gaps that nobody sees",
		Source:   "openbao/openbao, vault/audit_broker.go: one working device is enough; vault #5361: a black hole froze every request; openbao #2627",
		Features: append([]scenario.Feature{scenario.FeatureCluster, scenario.FeatureGitLab, scenario.FeatureAuditHTTP},
			scenario.Changes(scenario.ChangeAuditHTTP)...),
		Kind:   scenario.Fault,
		Cost:   scenario.Slow,
		Budget: 10 * time.Minute,
		// Catches: a sink without token, a request that waits for the sink for ever, a device whose
		// failure refuses requests.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			defer withSink(ctx, t, env, env.AuditSink.URL)()
			before := received(ctx, t, env)
			fetchAll(ctx, t, env, 0)
			scenario.MustConverge(ctx, t, scenario.Convergence{
				What: "the sink has every record", Interval: env.Timeouts.Poll, Deadline: env.Timeouts.Labels,
			}, func(ctx context.Context) error {
				if got := received(ctx, t, env) - before; got < perFetch*sinkFetches {
					return fmt.Errorf("it got %d records, want %d", got, perFetch*sinkFetches)
				}
				return nil
			})
			for _, state := range []struct {
				name  string
				fault scenario.Failure
				more  time.Duration // that a fetch may take longer
			}{
				{"slow", scenario.Failure{Delay: sinkDelay}, perFetch * sinkDelay},
				{"failing", scenario.Failure{Status: http.StatusInternalServerError}, 0},
				{"refusing", scenario.Failure{Status: http.StatusUnauthorized}, 0},
				{"back", scenario.Failure{}, 0},
				{"black-holed", scenario.Failure{Blackhole: true}, env.Timeouts.Fetch},
			} {
				t.Logf("the sink is %s", state.name)
				require.NoError(t, env.GitLab.Disturb(ctx, map[string]scenario.Failure{scenario.EndpointAudit: state.fault}))
				fetchAll(ctx, t, env, state.more)
			}
		},
	}
}

func httpSinkAbsent() scenario.Scenario {
	return scenario.Scenario{
		ID:       "audit/http-sink-absent",
		Title:    "Pods start, unseal and serve while nobody answers at GitLab's receiver",
		Protects: "the start of a whole site, where OpenBao is up before GitLab",
		Source:   "gitlab#582828: OpenBao before Webservice; openbao #2627 and #2628, skip_test",
		Features: append([]scenario.Feature{scenario.FeatureCluster, scenario.FeatureAuditHTTP},
			scenario.Changes(scenario.ChangeAuditHTTP)...),
		Kind:   scenario.Fault,
		Cost:   scenario.Slow,
		Budget: 10 * time.Minute,
		// Catches: a device that is tested when it is made, an unseal that waits for its first
		// record.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			defer withSink(ctx, t, env, "http://127.0.0.1:9/")() // in the pod: the discard port, where nobody listens
			fetchAll(ctx, t, env, 0)
		},
	}
}

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
