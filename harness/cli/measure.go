package cli

import (
	"context"
	"errors"
	"time"

	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/kind"
	"gitlab.com/steamer/steamer/harness/target/local"
)

// onProcesses opens a target as spec says, with some tenants, and measures it; files go to a
// directory that begins with name. A measure that came to no verdict returns "".
func (s *State) onProcesses(ctx context.Context, output, name string, spec local.Spec, tenants int,
	measure func(t target.Target, ui *steps.Text, dir string) (result.Verdict, error),
) (err error) {
	dir, err := measureDir(output, name)
	if err != nil {
		return err
	}
	if spec.Server.Binary, spec.Generator, err = s.programs(ctx, dir); err != nil {
		return err
	}
	ui := s.ui()
	ui.Note("starting OpenBao and PostgreSQL")
	spec.Seeded = func(done, total int) { ui.Progress("provisioned tenants", done, total) }
	t, err := local.Open(ctx, spec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close(ctx)) }()
	if _, _, err := t.Grow(ctx, tenants); err != nil {
		return err
	}
	verdict, err := measure(t, ui, dir)
	if verdict == "" {
		return err
	}
	return judged(ctx, verdict, err)
}

// onTopologies says how the topologies of a plan are measured in place of a load.
type onTopologies struct {
	name   string // begins the names of directories
	dryRun bool
	keep   bool // leave what was installed where nothing went wrong
	// measure measures one topology. It returns "" where it came to no verdict.
	measure func(ctx context.Context, on topologyUnderTest) (result.Verdict, error)
}

// topologyUnderTest is an installed topology that is measured.
type topologyUnderTest struct {
	*kind.Target
	plan *plan.Resolved
	ui   *steps.Text
	dir  string // for files
}

// onTopologies installs each topology of a plan and has it measured.
func (s *State) onTopologies(ctx context.Context, root string, p plan.Plan, o onTopologies) error {
	provider, ui, err := s.prepare(ctx, root, p)
	if err != nil {
		return err
	}
	if err := s.place(ctx, provider); err != nil {
		return err
	}
	if err := provider.Preflight(ctx); err != nil {
		return err
	}
	if o.dryRun {
		return s.printPlan(p, nil)
	}
	if provider.Elsewhere {
		return s.enter(ctx, provider)
	}
	verdict, err := kind.Measurement{
		Provider: provider, Steps: steps.New(ui), ID: result.NewID(time.Now().UTC()), Keep: o.keep,
		Dir: func(topology string) (string, error) { return measureDir(p.Output, o.name+"-"+topology) },
		Measure: func(ctx context.Context, t *kind.Target, dir string) (result.Verdict, error) {
			return o.measure(ctx, topologyUnderTest{t, provider.Plan, ui, dir})
		},
	}.Run(ctx)
	return judged(ctx, verdict, err)
}
