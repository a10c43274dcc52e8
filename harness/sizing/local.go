package sizing

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"gitlab.com/steamer/steamer/harness/capacity"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/lab"
	"gitlab.com/steamer/steamer/harness/localbao"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/wait"
)

// disturbTimeout bounds how long a node may take to come or come back. It is far above what is
// published for 10,000 namespaces.
const disturbTimeout = 5 * time.Minute

// look is how often a fetch is tried while the nodes change; it is the resolution of the times.
const look = 20 * time.Millisecond

// local is two OpenBao processes on one PostgreSQL.
type local struct{ lab *lab.Lab }

// Local makes a site of a lab with a standby.
func Local(l *lab.Lab) Site { return local{l} }

func (s local) Tenants() []gitlab.Tenant { return s.lab.Tenants }

func (s local) Drive(ctx context.Context, job capacity.Job) (capacity.Observation, error) {
	fixture, err := s.lab.Fixture(s.lab.Tenants)
	if err != nil {
		return capacity.Observation{}, err
	}
	// To the active node, as the active Service would: a standby only passes requests on.
	reading, err := s.lab.Drive(ctx, job.Name, job.Profile, job.Rate, fixture, nil)
	return capacity.Observe(s.lab, reading), err
}

// Grow also watches what provisioning uses.
func (s local) Grow(ctx context.Context, total int) (Growth, error) {
	before := len(s.lab.Tenants)
	own, stop := ownCPU(), s.lab.Watch(ctx)
	began := time.Now()
	err := s.lab.Grow(ctx, total)
	took := time.Since(began).Seconds()
	use := provisioning{window: result.Window{From: began, To: time.Now()}, own: ownCPU() - own}
	use.resources, use.pool = stop()
	g := Growth{Tenants: total - before, Seconds: took}
	for i := range use.resources {
		if s := &use.resources[i]; s.Component == "openbao" {
			peak, _ := s.PeakMemory(result.Window{From: began.Add(-time.Minute), To: time.Now()})
			g.MemoryMiB = max(g.MemoryMiB, peak)
		}
	}
	if n := len(s.lab.Seeds); n > 0 && g.Tenants > 0 {
		g.Calls, g.Secrets = s.lab.Seeds[n-1].Calls, s.lab.Seeds[n-1].Secrets
		g.Limit = use.limit()
	}
	return g, err
}

func (s local) Restart(ctx context.Context) (float64, error) {
	nodes := s.lab.Server.Nodes()
	for i := len(nodes) - 1; i >= 0; i-- {
		nodes[i].Stop()
	}
	began := time.Now()
	if err := nodes[0].Start(ctx); err != nil {
		return 0, err
	}
	if err := s.serves(ctx, nodes[0]); err != nil {
		return 0, err
	}
	took := time.Since(began).Seconds()
	for _, other := range nodes[1:] {
		if err := other.Start(ctx); err != nil {
			return took, err
		}
	}
	return took, nil
}

// Failover ends the active node and waits for the other one. Then the ended one comes back as the
// standby, and the roles are given back in order, so that each disturbance begins the same way.
func (s local) Failover(ctx context.Context, kill bool) (float64, error) {
	nodes := s.lab.Server.Nodes()
	took, err := s.takeOver(ctx, nodes[0], nodes[1], kill)
	if err != nil {
		return 0, err
	}
	_, err = s.takeOver(ctx, nodes[1], nodes[0], false)
	return took, err
}

// takeOver ends one node, waits until the other leads and serves, and starts the ended one again.
func (s local) takeOver(ctx context.Context, active, standby *localbao.Node, kill bool) (float64, error) {
	began := time.Now()
	if kill {
		active.Kill()
	} else {
		go active.Stop() // it answers for a moment while it ends; the outage begins with the signal
	}
	if err := s.serves(ctx, standby); err != nil {
		return 0, err
	}
	took := time.Since(began).Seconds()
	active.Stop()
	return took, active.Start(ctx)
}

// serves waits until a node is active and a fetch on it gets the right value.
func (s local) serves(ctx context.Context, node *localbao.Node) error {
	client := openbao.New(node.Address, s.lab.Server.HTTPClient())
	defer client.Close()
	_, err := wait.Until(ctx, wait.For{
		What: "the other node serves", Interval: look, Deadline: disturbTimeout,
		Each: 5 * time.Second,
	}, func(ctx context.Context) error {
		h, err := client.Health(ctx)
		if err == nil && !h.Active() {
			err = fmt.Errorf("health answers %d", h.Status)
		}
		if err != nil {
			return err
		}
		return s.lab.Check(ctx, node.Address)
	})
	return err
}

func (s local) DatabaseMiB(ctx context.Context) (float64, error) {
	conn, err := pgx.Connect(ctx, s.lab.Server.DatabaseURL())
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var bytes int64
	err = conn.QueryRow(ctx, "SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::bigint FROM pg_stat_user_tables").Scan(&bytes)
	return float64(bytes) / (1 << 20), err
}
