package campaign

import (
	"context"
	"errors"
	"fmt"

	"gitlab.com/steamer/steamer/harness/lab"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/sizing"
)

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
	return sess.OnTopologies(ctx, root, p, "sizing", s.DryRun,
		func(ctx context.Context, d *run.Driver, dir string) (result.Verdict, error) {
			site, done, err := sizing.Installed(d)
			if err != nil {
				return "", err
			}
			defer done()
			return s.measure(ctx, sess, site, fmt.Sprintf("%s, limits of tier %s", d.Name(), p.Tier), dir)
		})
}

// processes measures a lab.
func (s *Sizing) processes(ctx context.Context, sess *session.Session, p plan.Plan) (result.Verdict, error) {
	if s.DryRun {
		_, err := fmt.Fprintf(sess.Stdout, "%v tenants of %d secrets, fetches at %g/s for %s\n",
			sizing.Ladder(s.Options.MaxTenants), p.Secrets, s.Options.Rate, s.Options.Length)
		return "", err
	}
	spec := lab.Spec{Standby: true, Tenants: 2, Secrets: p.Secrets}
	return sess.OnLab(ctx, p.Output, "sizing", spec, func(l *lab.Lab, dir string) (result.Verdict, error) {
		return s.measure(ctx, sess, sizing.Local(l),
			fmt.Sprintf("OpenBao %s, two processes on one PostgreSQL", l.Version), dir)
	})
}

// measure measures one site and writes the files.
func (s *Sizing) measure(ctx context.Context, sess *session.Session, site sizing.Site, target, dir string) (
	result.Verdict, error,
) {
	o := s.Options
	o.Progress = sess.Note
	report, err := sizing.Measure(ctx, site, o)
	if report == nil {
		return "", err
	}
	report.Target, report.Reproduce = target, sess.CommandLine()
	markdown := report.Markdown()
	fmt.Fprintf(sess.Stdout, "%s\nFiles: %s\n", markdown, dir)
	return report.Verdict, errors.Join(err, session.WriteMeasurement(dir, "sizing", report, markdown))
}
