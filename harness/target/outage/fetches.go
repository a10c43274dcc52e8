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

// Watches are of two kinds of client that fetch secrets at the same time.
type Watches struct {
	fresh, kept *Watch
	close       func()
	heart       *heartbeat
	machine     func() string // ends the watch of the machine; nil without one
	reports     *Reports      // once stopped
}

// Reports are what each kind of client saw.
type Reports struct {
	Fresh    Report // one connection for each fetch, as GitLab Runner has it
	Kept     Report // one connection that is kept as long as it works
	Interval time.Duration
	Machine  string // what on the machine kept it from measuring the chart alone; empty where nothing did
}

// Fetches watches secret fetches of both recipes in turn, by both kinds of client. A connection of
// its own for each fetch shows what new jobs meet; a kept one also shows what becomes of clients
// whose connection leads to a pod that is gone.
func Fetches(ctx context.Context, env *scenario.Env) *Watches {
	fresh := env.Kind.Client(env.Address, openbao.Trusting(false, env.CA))
	kept := env.Kind.Client(env.Address, openbao.Trusting(true, env.CA))
	c := &Watches{heart: beat(), close: func() { fresh.Close(); kept.Close() }}
	if env.WatchMachine != nil {
		c.machine = env.WatchMachine(ctx)
	}
	c.fresh, c.kept = watch(ctx, env, fresh), watch(ctx, env, kept)
	return c
}

// watch fetches as four jobs do, each with the one token of its life: signing one for each fetch
// would take more of a small machine's CPU than the fetches do.
func watch(ctx context.Context, env *scenario.Env, client *openbao.Client) *Watch {
	tenants := env.Sample(4)
	jobs := make([]string, len(tenants))
	var unsigned error
	for i, tenant := range tenants {
		var err error
		jobs[i], err = env.Issuer.Pipeline(env.Audience, tenant, gitlab.DefaultJob())
		unsigned = errors.Join(unsigned, err)
	}
	var n atomic.Int64
	return Start(ctx, env.Timeouts.Probe, func(ctx context.Context) error {
		if unsigned != nil {
			return unsigned
		}
		i := int(n.Add(1)) % len(tenants)
		tenant, secret := tenants[i], tenants[i].Secrets[0]
		err := gitlab.FetchOf(tenant, secret.Name, jobs[i]).Check(ctx, client, tenant.Value(env.Seed, secret))
		if errors.Is(err, gitlab.ErrWrongValue) {
			return fmt.Errorf("%s of %s: %w", secret.Name, tenant.Name, ErrWrong)
		}
		return err
	})
}

// Failed returns how many fetches of both have failed so far.
func (c *Watches) Failed() int { return c.fresh.Failed() + c.kept.Failed() }

// Stop ends the watches and returns what they saw. It may be called twice.
func (c *Watches) Stop() Reports {
	if c.reports != nil {
		return *c.reports
	}
	r := Reports{Fresh: c.fresh.Stop(), Kept: c.kept.Stop(), Interval: c.fresh.interval}
	c.close()
	if stood := c.heart.stop(); stood > stillFor {
		r.Machine = fmt.Sprintf("this machine stood still for %.1f s", stood.Seconds())
	}
	if c.machine != nil {
		if why := c.machine(); r.Machine == "" {
			r.Machine = why
		}
	}
	c.reports = &r
	return r
}

// again is how many fetches of a client have to work before an outage is over.
const again = 3

// Working returns a probe that succeeds once fetches of both clients have worked since it was
// made. Others may well work before: a connection that was made while no pod was behind the
// Service hangs until its probe's time is up, and a watch that is stopped in that time has not
// seen the end of the outage.
func (c *Watches) Working() func(context.Context) error {
	fresh, kept := c.fresh.Worked(), c.kept.Worked()
	return func(context.Context) error {
		if worked := c.fresh.Worked() - fresh; worked < again {
			return fmt.Errorf("%d of %d on new connections have worked", worked, again)
		}
		if worked := c.kept.Worked() - kept; worked < again {
			return fmt.Errorf("%d of %d on a kept connection have worked", worked, again)
		}
		return nil
	}
}

// Recovered waits until fetches of both clients work.
func Recovered(ctx context.Context, t scenario.T, env *scenario.Env, c *Watches) {
	t.Helper()
	scenario.MustConverge(ctx, t, scenario.Convergence{
		What: "fetches work again", Interval: env.Timeouts.Probe, Deadline: env.Timeouts.Failover,
	}, c.Working())
}

// Namespaces is how many namespaces the environment's tenants have, which a node that becomes
// active loads.
func Namespaces(tenants []gitlab.Tenant) int {
	namespaces := map[string]bool{}
	for _, tenant := range tenants {
		for path := tenant.Name; path != "."; path = gopath.Dir(path) {
			namespaces[path] = true
		}
	}
	return len(namespaces)
}
