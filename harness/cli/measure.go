package cli

import (
	"context"
	"time"

	"gitlab.com/steamer/steamer/harness/lab"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/target/kind"
)

// onLab opens a lab as spec says, and measures it; files go to a directory that begins with name. A
// measure that came to no verdict returns "".
func (s *State) onLab(ctx context.Context, output, name string, spec lab.Spec, measure func(l *lab.Lab, ui *steps.Text,
	dir string) (result.Verdict, error),
) error {
	dir, err := measureDir(output, name)
	if err != nil {
		return err
	}
	tools, err := s.labTools(ctx, dir)
	if err != nil {
		return err
	}
	ui := &run.Text{W: s.Stderr, Terminal: isTerminal(s.Stderr)}
	ui.Note("starting OpenBao and PostgreSQL")
	spec.Name, spec.Seeded = name, func(done, total int) { ui.Progress("provisioned tenants", done, total) }
	l, err := lab.Open(ctx, tools, spec)
	if err != nil {
		return err
	}
	defer l.Close()
	verdict, err := measure(l, ui, dir)
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
