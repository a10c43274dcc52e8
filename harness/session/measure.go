package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/kind"
	"gitlab.com/steamer/steamer/harness/target/local"
)

// OnProcesses opens a target as spec says, with some tenants, and measures it; files go to a
// directory that begins with name. A measure that came to no verdict returns "", and so does
// OnProcesses.
func (s *Session) OnProcesses(ctx context.Context, output, name string, spec local.Spec, tenants int,
	measure func(t target.Target, dir string) (result.Verdict, error),
) (v result.Verdict, err error) {
	dir, err := Directory(output, name)
	if err != nil {
		return "", err
	}
	if spec.Server.Binary, spec.Generator, err = s.Programs(ctx, dir); err != nil {
		return "", err
	}
	ui := s.Progress()
	ui.Note("starting OpenBao and PostgreSQL")
	spec.Seeded = func(done, total int) { ui.Progress("provisioned tenants", done, total) }
	t, err := local.Open(ctx, spec)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, t.Close(ctx)) }()
	if _, _, err := t.Grow(ctx, tenants); err != nil {
		return "", err
	}
	return measure(t, dir)
}

// OnTopologies says how the topologies of a plan are measured in place of a load.
type OnTopologies struct {
	Name   string // begins the names of directories
	DryRun bool   // check everything, print the plan, and stop
	Keep   bool   // leave what was installed where nothing went wrong
	// Measure measures one topology; files go to dir. It returns "" where it came to no verdict.
	Measure func(ctx context.Context, t *kind.Target, p *plan.Resolved, dir string) (result.Verdict, error)
}

// Measure installs each topology of a plan and has it measured. The verdict is "" where nothing
// was judged.
func (s *Session) Measure(ctx context.Context, root string, p plan.Plan, o OnTopologies) (result.Verdict, error) {
	provider, err := s.Prepare(ctx, root, p)
	if err != nil {
		return "", err
	}
	if err := s.Ready(ctx, provider); err != nil {
		return "", err
	}
	if o.DryRun {
		return "", s.PrintPlan(p, nil)
	}
	if provider.Elsewhere {
		return "", s.Enter(ctx, provider)
	}
	return kind.Measurement{
		Provider: provider, Steps: steps.New(s.Progress()), ID: result.NewID(time.Now().UTC()), Keep: o.Keep,
		Dir: func(topology string) (string, error) { return Directory(p.Output, o.Name+"-"+topology) },
		Measure: func(ctx context.Context, t *kind.Target, dir string) (result.Verdict, error) {
			return o.Measure(ctx, t, provider.Plan, dir)
		},
	}.Run(ctx)
}

// PrintPlan prints a plan as YAML. As comments it says what would be chosen for it now, which is
// no part of it, since a plan that is run again chooses again, and the outlook: which objectives
// its load can decide.
func (s *Session) PrintPlan(p plan.Plan, outlook []string) error {
	text, err := p.YAML()
	if err != nil {
		return err
	}
	for _, line := range outlook {
		text += "# " + line + "\n"
	}
	if c := p.Cluster; !c.Existing() && (c.Name == "" || c.Port == 0) {
		me, err := s.Identity()
		if err != nil {
			return err
		}
		port := c.Port
		if port == 0 {
			if port, err = cluster.FreePort(); err != nil {
				return err
			}
		}
		fmt.Fprintf(s.Stdout, "# Chosen when it runs, where the plan leaves it open: cluster %s and port %d, "+
			"or the next that are free.\n", cmp.Or(c.Name, me.DefaultName()), port)
	}
	_, err = fmt.Fprint(s.Stdout, text)
	return err
}
