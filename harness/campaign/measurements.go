package campaign

import (
	"context"
	"errors"
	"fmt"

	"gitlab.com/steamer/steamer/harness/capacity"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/report/pages"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/sizing"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/kind"
	"gitlab.com/steamer/steamer/harness/target/local"
)

// Capacity says how to search for the highest rate that holds.
type Capacity struct {
	Options capacity.Options // checked
	CPUs    float64          // limit of OpenBao as a process, in cores; 0 is none
	DryRun  bool             // check everything, print what would be done, and stop
}

// Measure searches with processes of this machine, or with what the plan installs. The verdict is
// "" where nothing was judged.
func (c *Capacity) Measure(ctx context.Context, sess *session.Session, root string, p plan.Plan, local bool) (
	result.Verdict, error,
) {
	if local {
		return c.processes(ctx, sess, p)
	}
	p.Load = true // k6 is needed
	return sess.Measure(ctx, root, p, session.OnTopologies{
		Name: "capacity", DryRun: c.DryRun,
		Measure: func(ctx context.Context, t *kind.Target, _ *plan.Resolved, dir string) (result.Verdict, error) {
			what := fmt.Sprintf("%s, %d tenants, limits of tier %s", t.Info().Name, len(t.Tenants()), p.Tier)
			return c.search(ctx, sess, t, what, dir)
		},
	})
}

// processes searches on processes of this machine.
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
	spec := local.Spec{CPUs: c.CPUs, Secrets: p.Secrets, WatchPool: true}
	c.Options.Interval = func(iv result.Interval) { sess.Progress().Interval(iv, o.Warmup+o.Confirm) }
	return sess.OnProcesses(ctx, p.Output, "capacity", spec, p.Tenants,
		func(t target.Target, dir string) (result.Verdict, error) {
			info := t.Info()
			what := fmt.Sprintf("OpenBao %s and PostgreSQL as processes, %d tenants", info.Versions["openbao"], p.Tenants)
			if info.Limited != "" {
				what += ", " + info.Limited
			}
			return c.search(ctx, sess, t, what, dir)
		})
}

// search runs one search and writes its files.
func (c *Capacity) search(ctx context.Context, sess *session.Session, t target.Target, what, dir string) (
	result.Verdict, error,
) {
	o := c.Options
	o.Progress = func(p capacity.Point) { sess.Note(p.String()) }
	report, err := capacity.Search(ctx, t, o)
	if report == nil {
		return "", err
	}
	report.Target, report.Reproduce = what, sess.CommandLine()
	markdown, writeErr := pages.WriteCapacity(dir, report)
	fmt.Fprintf(sess.Stdout, "%s\nFiles: %s\n", markdown, dir)
	if !report.Partial { // the verdict says the rest
		err = nil
	}
	return report.Verdict, errors.Join(err, writeErr)
}

// Sizing says how to measure how OpenBao grows with tenants.
type Sizing struct {
	Options sizing.Options // checked
	DryRun  bool           // check everything, print what would be done, and stop
}

// Measure measures processes of this machine, or what the plan installs. The verdict is "" where
// nothing was judged.
func (s *Sizing) Measure(ctx context.Context, sess *session.Session, root string, p plan.Plan, local bool) (
	result.Verdict, error,
) {
	if local {
		return s.processes(ctx, sess, p)
	}
	p.Tenants = 2 // the sizes come later
	p.Load = true // k6 is needed
	return sess.Measure(ctx, root, p, session.OnTopologies{
		Name: "sizing", DryRun: s.DryRun,
		Measure: func(ctx context.Context, t *kind.Target, _ *plan.Resolved, dir string) (result.Verdict, error) {
			return s.measure(ctx, sess, t, fmt.Sprintf("%s, limits of tier %s", t.Info().Name, p.Tier), dir)
		},
	})
}

// processes measures processes of this machine.
func (s *Sizing) processes(ctx context.Context, sess *session.Session, p plan.Plan) (result.Verdict, error) {
	if s.DryRun {
		_, err := fmt.Fprintf(sess.Stdout, "%v tenants of %d secrets, fetches at %g/s for %s\n",
			sizing.Ladder(s.Options.MaxTenants), p.Secrets, s.Options.Rate, s.Options.Length)
		return "", err
	}
	spec := local.Spec{Standby: true, Secrets: p.Secrets, WatchPool: true}
	return sess.OnProcesses(ctx, p.Output, "sizing", spec, 2, func(t target.Target, dir string) (result.Verdict, error) {
		return s.measure(ctx, sess, t, fmt.Sprintf("OpenBao %s, two processes on one PostgreSQL",
			t.Info().Versions["openbao"]), dir)
	})
}

// measure measures one target and writes the files.
func (s *Sizing) measure(ctx context.Context, sess *session.Session, t target.Target, what, dir string) (
	result.Verdict, error,
) {
	o := s.Options
	o.Progress = sess.Note
	report, err := sizing.Measure(ctx, t, o)
	if report == nil {
		return "", err
	}
	report.Target, report.Reproduce = what, sess.CommandLine()
	fmt.Fprintf(sess.Stdout, "%s\nFiles: %s\n", pages.Sizing(report), dir)
	return report.Verdict, errors.Join(err, pages.WriteSizing(dir, report))
}
