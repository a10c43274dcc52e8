package outage

import (
	"context"
	"errors"
	"fmt"
	gopath "path"
	"sync/atomic"
	"time"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// Fetches watches secret fetches of both recipes in turn. Like Runner's, each has
// a connection of its own: a kept one would hide what new jobs meet.
func Fetches(ctx context.Context, env *scenario.Env) *Watch {
	client := openbao.New(env.Address, openbao.HTTPClient(false))
	tenants := env.Sample(4)
	var n atomic.Int64
	return Start(ctx, env.Timeouts.Probe, func(ctx context.Context) error {
		tenant := tenants[int(n.Add(1))%len(tenants)]
		secret := tenant.Secrets[0]
		err := env.Issuer.Check(ctx, client, env.Audience, env.Seed, tenant, secret)
		if errors.Is(err, gitlab.ErrWrongValue) {
			return fmt.Errorf("%s of %s: %w", secret.Name, tenant.Name, ErrWrong)
		}
		return err
	})
}

// again is how many fetches of a watch have to work before an outage is over.
const again = 3

// Recovered waits until the watch's own fetches work. Others may well work before: a connection
// that was made while no pod was behind the Service hangs until its probe's time is up, and a watch
// that is stopped in that time has not seen the end of the outage.
func Recovered(ctx context.Context, t scenario.T, env *scenario.Env, w *Watch) {
	t.Helper()
	before := w.Worked()
	scenario.MustConverge(ctx, t, scenario.Convergence{
		What: "fetches on new connections work again", Interval: env.Timeouts.Probe, Deadline: env.Timeouts.Failover,
	}, func(context.Context) error {
		if worked := w.Worked() - before; worked < again {
			return fmt.Errorf("%d of %d have worked", worked, again)
		}
		return nil
	})
}

// budget is how long GitLab's documentation lets fetches fail while OpenBao restarts: 5 s, and the
// time to load the namespaces. Source: GitLab's administration guide of the secrets manager.
func budget(env *scenario.Env) time.Duration { return 5*time.Second + load(env) }

// load is how long a node that becomes active loads namespaces: 11 s for each 1,000.
func load(env *scenario.Env) time.Duration {
	namespaces := map[string]bool{}
	for _, tenant := range env.Tenants {
		for path := tenant.Name; path != "."; path = gopath.Dir(path) {
			namespaces[path] = true
		}
	}
	return time.Duration(len(namespaces)) * 11 * time.Millisecond
}

// Judge records what a watch saw and fails the scenario for what no outage
// excuses: a wrong value, or not a single fetch that worked.
func Judge(t scenario.T, env *scenario.Env, r Report) {
	t.Helper()
	t.Measure("gitlab_budget_seconds", budget(env).Seconds())
	t.Measure("unavailable_seconds", r.Unavailable.Seconds())
	t.Measure("longest_gap_seconds", r.Longest.Seconds())
	t.Measure("failed_fetches", float64(r.Failed))
	t.Measure("fetches", float64(r.Probes))
	if r.Last != nil {
		t.Logf("last failed fetch: %v", r.Last)
	}
	if r.Wrong > 0 {
		t.Errorf("%d fetches got a wrong value during the disturbance", r.Wrong)
	}
	if r.Probes == 0 || r.Probes == r.Failed {
		t.Errorf("no fetch worked: %d tried, last error: %v", r.Probes, r.Last)
	}
}

// Within fails the scenario when fetches failed for longer in one go than limit, to which the time
// to load the namespaces is added. A limit of 0 means that no fetch may fail.
func Within(t scenario.T, env *scenario.Env, r Report, limit time.Duration) {
	t.Helper()
	if limit == 0 {
		if r.Failed > 0 {
			t.Errorf("%d of %d fetches failed, want none: %v", r.Failed, r.Probes, r.Last)
		}
		return
	}
	if limit += load(env); r.Longest > limit {
		t.Errorf("fetches failed for %.1f s in one go, want at most %.1f s; last error: %v", r.Longest.Seconds(),
			limit.Seconds(), r.Last)
	}
}
