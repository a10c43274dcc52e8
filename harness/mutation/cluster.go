package mutation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/kind"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/scenarios"
)

// readyTimeout is how long a mutant's chart may take until it is ready: a sound one takes about 15
// s on two cores, and one that never gets there should not cost minutes.
const readyTimeout = 75 * time.Second

// tenants is how many are provisioned for each mutant, with as many secrets each.
const tenants = 4

// Cluster tries mutants of charts on one platform, each with an installation of its own.
type Cluster struct {
	Root     string             // source tree
	Platform *platform.Platform // with the charts as they are
	Previous string             // the chart's previous release; may be empty
	Dir      string             // existing directory for what explains failed scenarios, by mutant
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
	spec, err := c.spec(m, dir)
	if err != nil {
		return Outcome{}, fmt.Errorf("mutant %s: %w", m.ID, err)
	}
	results, err := c.run(ctx, spec, m.ID, m.pattern())
	if ctx.Err() != nil {
		return Outcome{}, ctx.Err()
	}
	if exit.CodeOf(err) == exit.Invalid && slices.Contains(m.Caught, install) {
		return Outcome{Mutant: m, Status: Killed, By: install, Reason: err.Error(), Seconds: time.Since(started).Seconds()},
			nil
	}
	if err != nil {
		return Outcome{}, fmt.Errorf("mutant %s: it could not be tried: %w", m.ID, err)
	}
	o := judge(m, results)
	o.Seconds = time.Since(started).Seconds()
	return o, nil
}

// spec is what a mutant installs: the charts that it copies into dir and edits.
func (c *Cluster) spec(m Mutant, dir string) (topology.Spec, error) {
	spec := c.Platform.Spec(m.topology())
	spec.ReadyTimeout = readyTimeout
	if err := m.copyCharts(c.Root, dir); err != nil {
		return spec, err
	}
	for name, into := range map[string]**chart.Chart{
		"openbao": &spec.Chart, "postgresql": &spec.Fixtures.PostgreSQL, "gitlab-stub": &spec.Fixtures.GitLabStub,
	} {
		var err error
		if *into, err = chart.Load(filepath.Join(dir, name)); err != nil {
			return spec, err
		}
	}
	spec.Overrides = chart.Merge(spec.Overrides, m.Values)
	return spec, nil
}

// run installs an environment, runs the scenarios that a pattern chooses, and removes it. As in a
// run, that it comes up and can be provisioned are scenarios as well. Errors of code exit.Invalid
// are about the chart.
func (c *Cluster) run(ctx context.Context, spec topology.Spec, name, pattern string) (
	results []result.Scenario, err error,
) {
	list, err := scenario.Select(scenarios.All(), pattern)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(c.Dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	t, err := kind.New(c.Platform, kind.Options{Spec: spec, Secrets: tenants, Previous: c.Previous, Dir: dir, Logs: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.Close(ctx)) }()
	for _, step := range []struct {
		id string
		do func(context.Context) error
	}{
		{install, t.Install},
		{provision, func(ctx context.Context) error { _, err := t.Seed(ctx, tenants); return err }},
	} {
		err := step.do(ctx)
		outcome := result.Scenario{ID: step.id, Status: result.Passed}
		if errors.As(err, &target.UnfitError{}) {
			outcome.Status, outcome.Reason = result.Failed, err.Error()
			return append(results, outcome), nil
		}
		if err != nil {
			return nil, err
		}
		results = append(results, outcome)
	}
	env, done, err := t.Suite(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	outcomes, err := scenario.Run(ctx, env, list, scenario.Options{})
	if errors.Is(err, scenario.ErrAbandoned) { // it has failed, and the results say so
		err = nil
	}
	return append(results, outcomes...), err
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
	spec := c.Platform.Spec(topology)
	spec.ReadyTimeout = readyTimeout
	results, err := c.run(ctx, spec, "control-"+topology, all.pattern())
	if err != nil {
		return err
	}
	for _, s := range results {
		if s.Status == result.Failed {
			return fmt.Errorf("the chart without any mutation: %s fails: %s", s.ID, s.Reason)
		}
	}
	return nil
}
