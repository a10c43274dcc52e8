package campaign

import (
	"context"
	"errors"
	"fmt"

	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/report/pages"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/sizing"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/kind"
	"gitlab.com/steamer/steamer/harness/target/local"
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
