package sizing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/observe/proc"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target"
)

// measure is one step: grow, fail over in both ways, restart, fetch.
func measure(ctx context.Context, t target.Target, o Options, tenants int) (Step, error) {
	step := Step{Tenants: tenants}
	if err := step.grow(ctx, t, o); err != nil {
		return step, fmt.Errorf("%d tenants: %w", tenants, err)
	}
	if sized, ok := t.(target.Sized); ok {
		var err error
		if step.DatabaseMiB, err = sized.DatabaseMiB(ctx); err != nil {
			return step, fmt.Errorf("%d tenants: size of the database: %w", tenants, err)
		}
	}
	if err := step.disturb(ctx, t, o); err != nil {
		return step, fmt.Errorf("%d tenants: %w", tenants, err)
	}
	// Last, on a node that has loaded all namespaces again: what provisioning left on the heap is
	// no need of the tenants.
	o.Progress(fmt.Sprintf("%d tenants: fetching at %g/s", tenants, o.Rate))
	if err := step.fetch(ctx, t, o); err != nil {
		return step, fmt.Errorf("%d tenants: fetching: %w", tenants, err)
	}
	return step, nil
}

// grow provisions the tenants, and says what that took and what limited it.
func (s *Step) grow(ctx context.Context, t target.Target, o Options) error {
	o.Progress(fmt.Sprintf("%d tenants: provisioning", s.Tenants))
	before, own, began := len(t.Tenants()), proc.Own(), time.Now()
	seed, seen, err := t.Grow(ctx, s.Tenants)
	if err != nil {
		return err
	}
	use := provisioning{
		window: result.Window{From: began, To: time.Now()}, resources: seen.Topology.Resources, host: seen.Topology.Host,
		pool: pool(seen), own: proc.Own() - own,
	}
	s.Namespaces = countNamespaces(t.Tenants())
	for _, tenant := range t.Tenants() {
		s.Secrets += len(tenant.Secrets)
	}
	n := len(t.Tenants()) - before
	if n == 0 || seed.Seconds <= 0 {
		return nil
	}
	s.SeedRate, s.SeedCalls = float64(n)/seed.Seconds, float64(seed.Calls)/float64(n)
	s.SeedMemory, _ = seen.Topology.PeakMemory("openbao", use.window)
	s.SeedLimit = use.limit()
	return nil
}

// disturb crashes the active node, ends it in order and restarts all nodes, each o.Failovers
// times.
func (s *Step) disturb(ctx context.Context, t target.Target, o Options) error {
	restarter, ok := t.(target.Restarter)
	if !ok {
		return fmt.Errorf("%s has no nodes that can be ended", t.Info().Name)
	}
	failover := func(kill bool) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) { return restarter.Failover(ctx, kill) }
	}
	for _, d := range []struct {
		name string
		into *float64
		do   func(context.Context) (float64, error)
	}{
		{"the active node crashes", &s.Crash, failover(true)},
		{"the active node ends in order", &s.Graceful, failover(false)},
		{"all nodes restart", &s.Startup, restarter.Restart},
	} {
		o.Progress(fmt.Sprintf("%d tenants: %s", s.Tenants, d.name))
		var times []float64
		for range o.Failovers {
			seconds, err := d.do(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", d.name, err)
			}
			times = append(times, seconds)
		}
		slices.Sort(times)
		*d.into = times[(len(times)-1)/2]
	}
	return nil
}

// fetch drives fetches over all tenants and reads the active node's memory.
func (s *Step) fetch(ctx context.Context, t target.Target, o Options) error {
	seen, err := t.Drive(ctx, target.Job{
		Name: fmt.Sprintf("sizing-%d", s.Tenants), Rate: o.Rate,
		Profile: load.Profile{
			APIVersion: result.APIVersion, Kind: "Profile", Name: "sizing", Workload: "fetch", Mode: load.Inline,
			Warmup: document.Duration(10 * time.Second), Duration: document.Duration(o.Length),
			Rate: load.Rate{PerSecond: o.Rate},
		},
	})
	if err != nil {
		return err
	}
	l := seen.Topology.Load
	s.Fetch = Fetch{
		Offered: o.Rate, Achieved: l.Achieved(), Failed: l.Failed, Wrong: l.Wrong, Mean: l.Intended.Mean,
		P95: l.Intended.P95, P99: l.Intended.P99, Valid: invalid(seen.Topology),
	}
	if memory, ok := seen.Topology.PeakMemory("openbao", l.Measured()); ok { // else the active one may be missing
		s.MemoryMiB = memory
	}
	return nil
}
