package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// Options say what is run.
type Options struct {
	Schedule *Schedule
	Ops      int           // at least; the run goes on after the last fault until there are as many
	Duration time.Duration // after which no fault begins, up to a day; 0 is no limit, and goes without Ops
	Rate     float64       // operations per second, of all clients together
	Clients  int
	Tenants  int
	Secrets  int // of each tenant
	// Fetches are made beside the clients by k6 as jobs do, per second, each value checked: by the
	// first process, or by the active Service. 0 is none.
	Fetches float64
	Spaces  bool // clients create and delete namespaces, too
	// Audit holds answers against the audit log, which takes 3 KB of disk for each operation
	// meanwhile. Only with processes.
	Audit     bool
	Generator target.Generator // of Fetches
	Server    localbao.Options // of processes
	Cluster   Cluster          // what is broken in place of processes; nil is none
	Chart     *result.Chart    // that the cluster has; nil for processes
	Dir       string           // where the history goes
	Reproduce string           // the command line
	Progress  func(string)
}

// Validate refuses what cannot be run, before anything is started.
func (o *Options) Validate() error {
	for _, limit := range []struct {
		flag        string
		value       float64
		least, most float64
	}{
		{"--ops", float64(o.Ops), 0, 100e6},
		{"--rate", o.Rate, 1, 10_000},
		{"--clients", float64(o.Clients), 1, 256},
		{"--tenants", float64(o.Tenants), 1, 100},
		{"--secrets", float64(o.Secrets), 1, 1000},
		{"--load", o.Fetches, 0, 1000},
	} {
		if !(limit.value >= limit.least && limit.value <= limit.most) {
			return exit.Invalidf(fmt.Sprintf("%s %g", limit.flag, limit.value),
				fmt.Sprintf("use %g to %g", limit.least, limit.most), "it is out of range")
		}
	}
	switch {
	case o.Duration < 0 || o.Duration > maxDuration:
		return exit.Invalidf("--duration "+o.Duration.String(), "use 0 to "+maxDuration.String(), "it is out of range")
	case o.Duration > 0 && o.Ops > 0:
		return exit.Invalidf("--duration", "leave out one of the two", "--ops says when the run ends, too")
	}
	return o.checkPool()
}

// maxDuration leaves maxFaults more than there is time for.
const maxDuration = 24 * time.Hour

// checkPool refuses a mode that PgBouncer does not have, and faults that name connections of a
// node.
func (o *Options) checkPool() error {
	mode := o.Server.PgBouncer
	if mode == "" {
		return nil
	}
	if !slices.Contains(localbao.PoolModes(), mode) {
		return exit.Invalidf("--pgbouncer "+mode, "choose from "+strings.Join(localbao.PoolModes(), ", "),
			"there is no such mode")
	}
	for _, step := range o.Schedule.Steps {
		if step.Fault == "pg-terminate" || step.Fault == "pg-full" {
			return exit.Invalidf("--pgbouncer "+mode, "add --kinds=-pg-terminate,-pg-full",
				"%s names connections of one node, and PgBouncer shares them", step.Fault)
		}
	}
	return nil
}

// Keep notes in the schedule what the options have clients do.
func (o *Options) Keep() {
	o.Schedule.Workload = &Workload{
		Ops: o.Ops, Rate: o.Rate, Clients: o.Clients, Tenants: o.Tenants, Secrets: o.Secrets, Audit: o.Audit,
		PgBouncer: o.Server.PgBouncer, Fetches: o.Fetches, Duration: document.Duration(o.Duration),
	}
}

// Take has clients do what the schedule says, where it does.
func (o *Options) Take() {
	if w := o.Schedule.Workload; w != nil {
		o.Ops, o.Rate, o.Clients, o.Tenants, o.Secrets, o.Audit = w.Ops, w.Rate, w.Clients, w.Tenants, w.Secrets, w.Audit
		o.Server.PgBouncer, o.Fetches, o.Duration = w.PgBouncer, w.Fetches, time.Duration(w.Duration)
	}
}

// Run starts two OpenBao on one PostgreSQL, or takes a cluster's, does the schedule under load,
// stops what it started and judges the history. An interrupted run, or one that ended by an error,
// leaves a partial history that is judged, too: the report is nil only where there is none.
func Run(ctx context.Context, o Options) (*check.Report, error) {
	path := filepath.Join(o.Dir, history.FileName)
	err := o.run(ctx, path)
	if _, missing := os.Stat(path); missing != nil {
		return nil, err
	}
	report, readErr := check.File(path)
	return report, errors.Join(err, readErr)
}

// run records a history at path.
func (o *Options) run(ctx context.Context, path string) error {
	p := &pool{
		tenants: o.Tenants, secrets: o.Secrets, spaces: o.Spaces, versions: map[string]int{}, readers: map[string]string{},
	}
	if o.Cluster != nil {
		return o.onCluster(ctx, path, p)
	}
	return o.onProcesses(ctx, path, p)
}

// onProcesses starts processes, and breaks them.
func (o *Options) onProcesses(ctx context.Context, path string, p *pool) error {
	ways, peers, clients := &proxies{}, &proxies{plain: true}, &proxies{plain: true}
	defer ways.stop()
	defer peers.stop()
	defer clients.stop()
	o.Server.Through, o.Server.Cluster = ways.next, peers.next
	o.Server.Postgres = append(o.Server.Postgres, "synchronous_commit=on") // what was committed survives a crash
	server, err := localbao.Start(ctx, o.Server)
	if err != nil {
		return err
	}
	defer server.Stop()
	if _, err := server.Join(ctx); err != nil {
		return err
	}
	if err := p.takeProcesses(server, ways, peers, clients); err != nil {
		return err
	}
	client := openbao.New(server.Address, server.HTTPClient())
	defer client.Close()
	return o.record(ctx, path, p, client, server.Address, func() error {
		n := &nemesis{
			watcher: newWatcher(p.record, &processes{nodes: p.nodes, url: server.DatabaseURL}, p.nodes), server: server,
			token: p.token,
		}
		var also []func(context.Context) error
		if o.Audit {
			also = append(also, func(ctx context.Context) error { return followAudit(ctx, p.record, server.AuditLog()) })
		}
		return o.underLoad(ctx, p, n, also...)
	})
}

// takeProcesses has clients work with the nodes of a server.
func (p *pool) takeProcesses(server *localbao.Server, ways, peers, clients *proxies) error {
	issuer, err := server.Trust()
	if err != nil {
		return err
	}
	p.keys = &keyring{trust: trust{
		url: server.Issuer, audience: server.Audience, rails: issuer,
		publishes: func(_ context.Context, all ...*gitlab.Issuer) error { return server.Publish(all...) },
		trouble:   server.Trouble,
	}}
	for i, n := range server.Nodes() {
		if _, err := clients.next(strings.TrimPrefix(n.Address, "http://")); err != nil {
			return err
		}
		p.nodes = append(p.nodes, &node{
			Node: n, db: ways.list[i], peers: peers.list[i], clients: clients.list[i], pod: i,
		})
		p.ways = append(p.ways, p.nodes[i])
	}
	return nil
}

// onCluster breaks a chart on a cluster.
func (o *Options) onCluster(ctx context.Context, path string, p *pool) error {
	c := o.Cluster
	p.ca = c.CA()
	p.keys = &keyring{trust: trust{
		url: c.Issuer().URL(), audience: c.Audience(), rails: c.Issuer(),
		publishes: func(ctx context.Context, all ...*gitlab.Issuer) error {
			jwks, err := gitlab.JWKS(all...)
			if err == nil {
				err = c.Publish(ctx, jwks)
			}
			return err
		},
	}}
	client := openbao.New(c.Service(), openbao.Trusting(true, p.ca))
	defer client.Close()
	return o.record(ctx, path, p, client, c.Service(), func() error {
		operator, err := p.operator(ctx, client)
		if err != nil {
			return err
		}
		on, err := newPods(ctx, c, p.record)
		if err != nil {
			return err
		}
		defer on.close()
		p.nodes = on.nodes
		for _, n := range p.nodes {
			p.ways = append(p.ways, n)
		}
		p.ways = append(p.ways, service(c.Service()))
		n := &nemesis{watcher: newWatcher(p.record, on, p.nodes), pods: on, token: operator}
		return o.underLoad(ctx, p, n, func(ctx context.Context) error {
			on.run(ctx)
			return nil
		})
	})
}

// record provisions by a client of a URL, and has do write the history at path.
func (o *Options) record(ctx context.Context, path string, p *pool, client *openbao.Client, url string,
	do func() error,
) error {
	health, err := client.Health(ctx)
	if err != nil {
		return err
	}
	if err := p.provision(ctx, client); err != nil {
		return err
	}
	if p.fetches, err = o.provisionFetches(ctx, p, client, url); err != nil {
		return err
	}
	p.record, err = history.Create(path, history.Header{
		Seed: o.Schedule.Seed, Versions: keepVersions, Audit: o.Audit && o.Cluster == nil, Server: health.Version,
		Reproduce: o.Reproduce, Chart: o.Chart, Topology: o.Schedule.Topology,
	})
	if err != nil {
		return err
	}
	err = do()
	if errors.Is(err, errBroken) {
		o.Progress(err.Error())
		err = p.record.Err() // the history says so, and nothing is missing from it
	}
	if err != nil {
		return errors.Join(err, p.record.Abort())
	}
	return p.record.Close()
}

// underLoad has clients work while the faults are done, and reads everything at the end. Beside it
// go on what watches the system, until ctx ends.
func (o *Options) underLoad(parent context.Context, p *pool, n *nemesis, beside ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(parent)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		n.watcher.run(ctx)
		return nil
	})
	for _, follow := range beside {
		group.Go(func() error { return follow(ctx) })
	}
	n.late = newLate(p, o.Clients+1, o.Schedule.Seed)
	n.spaces = newClient(p, o.Clients+1+lateClients, o.Schedule.Seed)
	n.spaces.limit = lateLimit
	rotates := &rotator{
		keyring: p.keys, grants: newClient(p, o.Clients+2+lateClients, 0), revokes: newClient(p, o.Clients+3+lateClients, 0),
	}
	n.keys = rotates
	err := n.settled(ctx)
	if err == nil {
		err = rotates.begin(ctx)
	}
	if err == nil {
		group.Go(func() error { return rotates.run(ctx) })
		stop := p.fetches.start(ctx, p.record)
		err = errors.Join(o.load(ctx, p, n), stop())
	}
	if err == nil {
		err = n.settled(ctx)
	}
	if err == nil {
		p.record.Event(history.Event{Kind: history.Phase, Name: history.Final, Pod: history.NoPod})
		err = p.readAll(ctx, o.Clients)
	}
	if err == nil && o.Server.PgBouncer != "" {
		var count int64
		count, err = n.server.PoolTransactions(ctx)
		p.record.Event(history.Event{Kind: history.Log, Pod: history.NoPod, Text: fmt.Sprintf(
			"PgBouncer led %d transactions through, in %s mode", count, o.Server.PgBouncer)})
	}
	cancel()
	return errors.Join(err, group.Wait(), p.record.Err())
}

// load has clients work until the schedule is done and there are enough operations.
func (o *Options) load(ctx context.Context, p *pool, n *nemesis) error {
	turns, stop := make(chan struct{}), make(chan struct{})
	enough := make(chan struct{})
	go o.pace(ctx, turns, stop, enough)
	var clients sync.WaitGroup
	for id := range o.Clients {
		clients.Go(func() { newClient(p, id, o.Schedule.Seed).run(ctx, turns) })
	}
	err := o.faults(ctx, n)
	if err == nil {
		select {
		case <-enough:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	close(stop)
	clients.Wait()
	return err
}

// pace gives turns at the rate, and ends them when stop is closed. It closes enough after as many
// as were asked for.
func (o *Options) pace(ctx context.Context, turns chan<- struct{}, stop <-chan struct{}, enough chan<- struct{}) {
	defer close(turns)
	ticker := time.NewTicker(time.Duration(float64(time.Second) / o.Rate))
	defer ticker.Stop()
	if o.Ops == 0 {
		close(enough)
	}
	for given := 1; ; given++ {
		select {
		case <-ticker.C:
		case <-stop:
			return
		case <-ctx.Done():
			return
		}
		select {
		case turns <- struct{}{}:
		case <-stop:
			return
		case <-ctx.Done():
			return
		}
		if given == o.Ops {
			close(enough)
		}
	}
}

// faults does the schedule, or as much of it as there is time for.
func (o *Options) faults(ctx context.Context, n *nemesis) error {
	start := time.Now()
	for i, step := range o.Schedule.Steps {
		if o.Duration > 0 && time.Since(start) >= o.Duration {
			o.Progress(fmt.Sprintf("%v are over: %d of %d faults were done", o.Duration, i, len(o.Schedule.Steps)))
			return nil
		}
		if err := wait.Pause(ctx, time.Duration(step.After)); err != nil {
			return err
		}
		began := time.Now()
		if err := n.do(ctx, i, step); err != nil {
			if ctx.Err() != nil || errors.Is(err, errBroken) {
				return err
			}
			return exit.Environmentf("faults", "the history up to there is kept and judged", "%w", err)
		}
		o.Progress(fmt.Sprintf("fault %d of %d, %s: all nodes serve again after %.1f s", i+1, len(o.Schedule.Steps),
			step.Fault, time.Since(began).Seconds()))
	}
	return nil
}
