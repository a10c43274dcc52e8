package campaign

import (
	"context"
	"errors"
	"fmt"

	"gitlab.com/steamer/steamer/harness/capacity"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/lab"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/session"
)

// Capacity says how to search for the highest rate that holds.
type Capacity struct {
	Options capacity.Options // checked
	CPUs    float64          // limit of OpenBao as a process, in cores; 0 is none
	DryRun  bool             // check everything, print what would be done, and stop
}

// Measure searches with processes of this machine, or with what the plan installs. The verdict is ""
// where nothing was judged.
func (c *Capacity) Measure(ctx context.Context, sess *session.Session, root string, p plan.Plan, local bool) (
	result.Verdict, error,
) {
	if local {
		return c.processes(ctx, sess, p)
	}
	return sess.OnTopologies(ctx, root, p, "capacity", c.DryRun,
		func(ctx context.Context, d *run.Driver, dir string) (result.Verdict, error) {
			target := fmt.Sprintf("%s, %d tenants, limits of tier %s", d.Name(), d.Tenants(), p.Tier)
			return c.search(ctx, sess, capacity.Installed(d), target, dir)
		})
}

// processes searches on a lab.
func (c *Capacity) processes(ctx context.Context, sess *session.Session, p plan.Plan) (result.Verdict, error) {
	if !(c.CPUs >= 0) || c.CPUs > 1024 || c.CPUs > 0 && c.CPUs < 0.05 {
		return "", exit.Invalidf("--openbao-cpus", "use 0.05 cores or more, or 0 for no limit", "%g is out of range",
			c.CPUs)
	}
	o := c.Options
	if c.DryRun {
		_, err := fmt.Fprintf(sess.Stdout,
			"%d tenants, tier %s, from %g to %g fetches/s, trials of %s, %d confirmations of %s\n",
			p.Tenants, o.Tier, o.Start, o.Max, o.Trial, o.Confirmations, o.Confirm)
		return "", err
	}
	spec := lab.Spec{CPUs: c.CPUs, Tenants: p.Tenants, Secrets: p.Secrets}
	return sess.OnLab(ctx, p.Output, "capacity", spec, func(l *lab.Lab, dir string) (result.Verdict, error) {
		driver, err := capacity.Local(l, func(iv result.Interval) {
			sess.Progress().Interval(iv, o.Warmup+o.Confirm)
		})
		if err != nil {
			return "", err
		}
		target := fmt.Sprintf("OpenBao %s and PostgreSQL as processes, %d tenants", l.Version, p.Tenants)
		if l.Limited != "" {
			target += ", " + l.Limited
		}
		return c.search(ctx, sess, driver, target, dir)
	})
}

// search runs one search and writes its files.
func (c *Capacity) search(ctx context.Context, sess *session.Session, d capacity.Driver, target, dir string) (
	result.Verdict, error,
) {
	o := c.Options
	o.Progress = func(p capacity.Point) { sess.Note(p.String()) }
	report, err := capacity.Search(ctx, d, o)
	if report == nil {
		return "", err
	}
	report.Target, report.Reproduce = target, sess.CommandLine()
	plotted, plotErr := report.WritePlots(dir)
	picture := ""
	if plotted {
		picture = "capacity.png"
	}
	markdown := report.Markdown(picture)
	writeErr := errors.Join(plotErr, session.WriteMeasurement(dir, "capacity", report, markdown))
	fmt.Fprintf(sess.Stdout, "%s\nFiles: %s\n", markdown, dir)
	if !report.Partial { // the verdict says the rest
		err = nil
	}
	return report.Verdict, errors.Join(err, writeErr)
}
