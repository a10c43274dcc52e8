package mutation

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
)

// readyTimeout is how long a mutant's chart may take until it is ready: a sound one takes about 15
// s on two cores, and one that never gets there should not cost minutes.
const readyTimeout = 75 * time.Second

// Cluster tries mutants of charts on a kind cluster, each with an installation of its own.
type Cluster struct {
	Root string    // source tree
	Base plan.Plan // whose cluster and images are used
	// Run runs a resolved plan.
	Run func(ctx context.Context, p *plan.Resolved) (*result.Result, error)
}

// plan is the run of a mutant whose charts are in dir, or of the charts as they are when dir is "".
func (c *Cluster) plan(topology, scenarios, dir string, values map[string]any) (*plan.Resolved, error) {
	p := c.Base
	p.Topologies, p.Scenarios, p.Load = []string{topology}, scenarios, false
	p.Tenants, p.Secrets = 4, 4
	p.Cluster.Reuse, p.Cluster.Keep = true, true
	p.ReadyTimeout = document.Duration(readyTimeout)
	if dir != "" {
		p.Chart = filepath.Join(dir, "openbao")
	}
	r, err := p.Resolve(context.Background(), c.Root, chart.Fetcher{})
	if err != nil {
		return nil, err
	}
	r.Overrides = chart.Merge(r.Overrides, values)
	return r, nil
}

// Try tries a mutant. A chart that does not render or is refused is one that lifecycle/install
// catches.
func (c *Cluster) Try(ctx context.Context, m Mutant) (Outcome, error) {
	started := time.Now()
	dir, err := os.MkdirTemp("", "steamer-mutant-")
	if err != nil {
		return Outcome{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := m.copyCharts(c.Root, dir); err != nil {
		return Outcome{}, err
	}
	p, err := c.plan(m.topology(), m.pattern(), dir, m.Values)
	if err != nil {
		return Outcome{}, fmt.Errorf("mutant %s: %w", m.ID, err)
	}
	for name, fixture := range map[string]**chart.Chart{
		"postgresql":  &p.Fixtures.PostgreSQL,
		"gitlab-stub": &p.Fixtures.GitLabStub,
	} {
		if *fixture, err = chart.Load(filepath.Join(dir, name)); err != nil {
			return Outcome{}, fmt.Errorf("mutant %s: %w", m.ID, err)
		}
	}
	outcome, err := c.Run(ctx, p)
	if ctx.Err() != nil {
		return Outcome{}, ctx.Err()
	}
	if exit.CodeOf(err) == exit.Invalid && slices.Contains(m.Caught, install) {
		return Outcome{Mutant: m, Status: Killed, By: install, Reason: err.Error(), Seconds: time.Since(started).Seconds()},
			nil
	}
	if outcome == nil || len(outcome.Topologies) != 1 {
		return Outcome{}, fmt.Errorf("mutant %s: it could not be tried: %w", m.ID, err)
	}
	o := judge(m, outcome.Topologies[0].Scenarios)
	o.Seconds = time.Since(started).Seconds()
	return o, nil
}

// Control runs every scenario that the mutants of a topology name on the charts as they are. A
// scenario that fails there says nothing about a mutant, so the error names it.
func (c *Cluster) Control(ctx context.Context, topology string, list []Mutant) error {
	var all Mutant
	for _, m := range list {
		if m.topology() == topology {
			all.Caught = append(all.Caught, m.Caught...)
		}
	}
	slices.Sort(all.Caught)
	all.Caught = slices.Compact(all.Caught)
	if len(all.Caught) == 0 {
		return nil
	}
	p, err := c.plan(topology, all.pattern(), "", nil)
	if err != nil {
		return err
	}
	outcome, err := c.Run(ctx, p)
	if err != nil {
		return err
	}
	for _, s := range outcome.Topologies[0].Scenarios {
		if s.Status == result.Failed {
			return fmt.Errorf("the chart without any mutation: %s fails: %s", s.ID, s.Reason)
		}
	}
	return nil
}
