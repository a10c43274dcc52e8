package session

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/lab"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
)

// OnLab opens a lab as spec says, and measures it; files go to a directory that begins with name. A
// measure that came to no verdict returns "", and so does OnLab.
func (s *Session) OnLab(ctx context.Context, output, name string, spec lab.Spec,
	measure func(l *lab.Lab, dir string) (result.Verdict, error),
) (result.Verdict, error) {
	dir, err := Directory(output, name)
	if err != nil {
		return "", err
	}
	tools, err := s.LabTools(ctx, dir)
	if err != nil {
		return "", err
	}
	ui := s.Progress()
	ui.Note("starting OpenBao and PostgreSQL")
	spec.Name, spec.Seeded = name, func(done, total int) { ui.Progress("provisioned tenants", done, total) }
	l, err := lab.Open(ctx, tools, spec)
	if err != nil {
		return "", err
	}
	defer l.Close()
	return measure(l, dir)
}

// OnTopologies installs each topology of a plan and measures it in place of the load; files go to
// directories that begin with name. A measure that came to no verdict returns "", and so does a dry
// run.
func (s *Session) OnTopologies(ctx context.Context, root string, p plan.Plan, name string, dryRun bool,
	measure func(ctx context.Context, d *run.Driver, dir string) (result.Verdict, error),
) (result.Verdict, error) {
	p.Load = true // k6 is needed
	r, err := s.Prepare(ctx, root, p)
	if err != nil {
		return "", err
	}
	verdicts := map[string]result.Verdict{}
	r.Measure = func(ctx context.Context, d *run.Driver) error {
		dir, err := Directory(p.Output, name+"-"+d.Name())
		if err != nil {
			return err
		}
		verdict, err := measure(ctx, d, dir)
		if verdict != "" {
			verdicts[d.Name()] = verdict
		}
		return err
	}
	return s.Measure(ctx, r, p, dryRun, verdicts)
}

// Measure runs a plan whose topologies are measured in place of the load, or prints it, and returns
// the verdict over all that the measurements leave in verdicts.
func (s *Session) Measure(ctx context.Context, r *run.Run, p plan.Plan, dryRun bool,
	verdicts map[string]result.Verdict,
) (result.Verdict, error) {
	if err := s.Place(ctx, r); err != nil {
		return "", err
	}
	if err := r.Preflight(ctx); err != nil {
		return "", err
	}
	if dryRun {
		return "", s.PrintPlan(p, nil)
	}
	if r.Elsewhere {
		return "", s.Enter(ctx, r)
	}
	started := time.Now()
	outcome, dir, err := r.Do(ctx)
	if outcome == nil {
		return "", err
	}
	fmt.Fprintf(s.Stdout, "\nRun directory: %s (%s)\n", filepath.Clean(dir), time.Since(started).Round(time.Second))
	return worst(verdicts, len(p.Topologies), outcome.Verdict), err
}

// PrintPlan prints a plan as YAML. As comments it says what would be chosen for it now, which is no
// part of it, since a plan that is run again chooses again, and the outlook: which objectives its
// load can decide.
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

// worst is the verdict over all topologies and the run itself; a topology that was not measured
// makes it INCONCLUSIVE.
func worst(measured map[string]result.Verdict, expected int, run result.Verdict) result.Verdict {
	all := append(slices.Collect(maps.Values(measured)), run)
	switch {
	case slices.Contains(all, result.Fail):
		return result.Fail
	case len(measured) < expected || slices.Contains(all, result.Inconclusive):
		return result.Inconclusive
	}
	return result.Pass
}
