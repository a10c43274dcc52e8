package mutation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

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

	unsound map[string]map[string]string // see Control: reasons by topology and scenario
	stage   *scenario.Stage              // where installations are that are there at once
}

// Tries are what tries mutants side by side, as many as the platform's layout has installations.
func (c *Cluster) Tries() []Try {
	c.stage = scenario.NewStage()
	var tries []Try
	for place := range c.places() {
		tries = append(tries, func(ctx context.Context, m Mutant) (Outcome, error) { return c.try(ctx, m, place) })
	}
	return tries
}

// places is how many installations the cluster has at once.
func (c *Cluster) places() int { return max(1, c.Platform.Provider.Layout.Shards) }

// try tries a mutant. A chart that does not render or is refused is one that lifecycle/install
// catches. Scenarios that fail on the charts as they are say nothing about it.
func (c *Cluster) try(ctx context.Context, m Mutant, place int) (Outcome, error) {
	started := time.Now()
	whole := m
	if m.Caught = c.sound(m); len(m.Caught) == 0 {
		id := whole.Caught[0]
		return Outcome{
			Mutant: whole, Status: Broken,
			Reason: "the chart without any mutation: " + id + " fails: " + c.unsound[m.topology()][id],
		}, nil
	}
	dir, err := os.MkdirTemp("", "steamer-mutant-")
	if err != nil {
		return Outcome{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	spec, err := c.spec(m, dir)
	if err != nil {
		return Outcome{}, fmt.Errorf("mutant %s: %w", m.ID, err)
	}
	results, err := c.run(ctx, []topology.Spec{platform.Shard(spec, place+1, place)}, m.ID, m.pattern())
	if ctx.Err() != nil {
		return Outcome{}, ctx.Err()
	}
	if exit.CodeOf(err) == exit.Invalid && slices.Contains(m.Caught, install) {
		return Outcome{
			Mutant: whole, Status: Killed, By: install, Reason: err.Error(), Seconds: time.Since(started).Seconds(),
		}, nil
	}
	if err != nil {
		return Outcome{}, fmt.Errorf("mutant %s: it could not be tried: %w", m.ID, err)
	}
	o := judge(m, results)
	o.Mutant, o.Seconds = whole, time.Since(started).Seconds()
	return o, nil
}

// sound are the mutant's scenarios that hold on the charts as they are.
func (c *Cluster) sound(m Mutant) []string {
	return slices.DeleteFunc(slices.Clone(m.Caught), func(id string) bool {
		return c.unsound[m.topology()][id] != ""
	})
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

// run makes installations of a topology, has them share the scenarios that a pattern chooses, and
// removes them. As in a run, that it comes up and can be provisioned are scenarios as well. Errors
// of code exit.Invalid are about the chart.
func (c *Cluster) run(ctx context.Context, specs []topology.Spec, name, pattern string) (
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
	var targets []*kind.Target
	for _, spec := range specs {
		t, err := kind.New(c.Platform, kind.Options{Spec: spec, Secrets: tenants, Previous: c.Previous, Dir: dir, Logs: true})
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
		defer func() { err = errors.Join(err, t.Close(ctx)) }()
	}
	for _, step := range []struct {
		id string
		do func(context.Context, *kind.Target) error
	}{
		{install, func(ctx context.Context, t *kind.Target) error { return t.Install(ctx) }},
		{provision, func(ctx context.Context, t *kind.Target) error { _, err := t.Seed(ctx, tenants); return err }},
	} {
		err := c.each(ctx, targets, step.do)
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
	var envs []*scenario.Env
	for _, t := range targets {
		env, done, err := t.Suite(ctx)
		if err != nil {
			return nil, err
		}
		defer done()
		envs = append(envs, env)
	}
	outcomes, err := scenario.RunShards(ctx, envs, list, scenario.Options{Stage: c.stage})
	if errors.Is(err, scenario.ErrAbandoned) { // it has failed, and the results say so
		err = nil
	}
	return append(results, outcomes...), err
}

// each does a step on all targets, side by side and beside what else goes on on the cluster.
func (c *Cluster) each(ctx context.Context, targets []*kind.Target,
	do func(context.Context, *kind.Target) error,
) error {
	var group errgroup.Group
	for _, t := range targets {
		group.Go(func() error {
			leave, err := c.stage.Enter(ctx, false)
			if err != nil {
				return err
			}
			defer leave()
			return do(ctx, t)
		})
	}
	return group.Wait()
}

// Control runs every scenario that the mutants name on the charts as they are, in each topology
// that they need. A scenario that fails there says nothing about a mutant: tell is called for
// each, and no mutant is judged by it. The error says why the charts as they are cannot be
// installed.
func (c *Cluster) Control(ctx context.Context, list []Mutant, tell func(topology, scenario, reason string)) error {
	c.unsound = map[string]map[string]string{}
	for _, name := range topology.Names() {
		var all Mutant
		for _, m := range list {
			if m.topology() == name {
				all.Caught = append(all.Caught, m.Caught...)
			}
		}
		if len(all.Caught) == 0 {
			continue
		}
		slices.Sort(all.Caught)
		all.Caught = slices.Compact(all.Caught)
		var specs []topology.Spec
		for place := range c.places() {
			spec := platform.Shard(c.Platform.Spec(name), place+1, place)
			spec.ReadyTimeout = topology.InstallTimeout
			specs = append(specs, spec)
		}
		results, err := c.run(ctx, specs, "control-"+name, all.pattern())
		if err != nil {
			return err
		}
		c.unsound[name] = map[string]string{}
		for _, s := range results {
			switch {
			case s.Status != result.Failed:
			case s.ID == install || s.ID == provision:
				return exit.Environmentf("the charts as they are", "steamer test shows what is wrong with them or this machine",
					"%s fails in %s: %s", s.ID, name, s.Reason)
			default:
				c.unsound[name][s.ID] = s.Reason
				tell(name, s.ID, s.Reason)
			}
		}
	}
	return nil
}
