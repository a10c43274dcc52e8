package campaign

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/report/pages"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/target/kind"
	"gitlab.com/steamer/steamer/harness/topology"
)

// Faults says how to break processes of this machine, or a chart on a cluster, under load.
type Faults struct {
	faults.Options
	Output string // directory below which files go
	Silent bool   // print no report; the files are written all the same
}

// UsualFaults is the workload of options that are not given.
func UsualFaults() faults.Options {
	return faults.Options{Rate: 150, Clients: 8, Tenants: 3, Secrets: 10, Audit: true}
}

// ClusterRate is the usual rate, operations per second, on a cluster, whose ways to single pods
// lead through its API server.
const ClusterRate = 40

// processes is the target of a run without a cluster.
const processes = "two processes of OpenBao %s on one PostgreSQL"

// prepare finds the program, makes the directory and announces the schedule.
func (f *Faults) prepare(ctx context.Context, s *session.Session) (err error) {
	if f.Dir, err = s.Lab(ctx, f.Output, "faults", &f.Server.Binary); err != nil {
		return err
	}
	return f.announce(ctx, s)
}

// announce finds the load generator where there is load, prints the schedule, and writes it into
// the directory.
func (f *Faults) announce(ctx context.Context, s *session.Session) (err error) {
	if f.Fetches > 0 {
		if f.Generator, err = s.Generator(ctx, f.Dir); err != nil {
			return err
		}
	}
	f.Progress, f.Reproduce, f.Schedule.Reproduce, f.Schedule.Finding = s.Note, s.CommandLine(), s.CommandLine(), nil
	f.Keep()
	fmt.Fprintf(s.Aside(), "%s\n", f.Schedule)
	return f.Schedule.WriteFile(filepath.Join(f.Dir, "schedule.json"))
}

// Run does the schedule and judges the history. The verdict is "" where there is no history.
func (f *Faults) Run(ctx context.Context, s *session.Session) (result.Verdict, error) {
	if err := f.prepare(ctx, s); err != nil {
		return "", err
	}
	return f.judged(ctx, s, processes)
}

// judged runs what was announced. what names the target, with a verb for OpenBao's version.
func (f *Faults) judged(ctx context.Context, s *session.Session, what string) (result.Verdict, error) {
	report, err := faults.Run(ctx, f.Options)
	if report == nil {
		return "", err
	}
	report.Target = fmt.Sprintf(what, report.History.Server)
	return report.Verdict, errors.Join(err, f.print(s, report))
}

// Schedules has a schedule drawn for each topology of a plan. An error is of code exit.Invalid: it
// installs what faults cannot break.
func Schedules(p plan.Plan, draw func(faults.Place) (*faults.Schedule, error)) (map[string]*faults.Schedule, error) {
	dialect, err := topology.DialectNamed(p.Dialect)
	switch {
	case err != nil:
		return nil, err
	case dialect.Raft || dialect.Server == openbao.KindVault:
		return nil, exit.Invalidf("--dialect "+p.Dialect, "choose one of OpenBao on PostgreSQL",
			"faults follow its namespaces, and its lock in PostgreSQL")
	}
	_, changes := dialect.Changes[scenario.ChangeCacheSize]
	schedules := map[string]*faults.Schedule{}
	for _, name := range p.Topologies {
		place := faults.Place{Topology: name, NoEngine: p.Cluster.Existing(), NoChange: !changes}
		if schedules[name], err = draw(place); err != nil {
			return nil, err
		}
	}
	return schedules, nil
}

// OnCluster installs a plan's topologies one after the other, and does the schedule of each there.
func (f *Faults) OnCluster(ctx context.Context, s *session.Session, root string, p plan.Plan,
	schedules map[string]*faults.Schedule, dryRun bool,
) (result.Verdict, error) {
	p.Load, p.Tenants, p.Secrets = false, 1, 1 // the workload brings its own
	return s.Measure(ctx, root, p, session.OnTopologies{
		Name: "faults", DryRun: dryRun,
		Measure: func(ctx context.Context, t *kind.Target, _ *plan.Resolved, dir string) (result.Verdict, error) {
			on, err := t.Faults(ctx)
			if err != nil {
				return "", err
			}
			defer on.End()
			one := *f
			info := t.Info()
			one.Cluster, one.Chart, one.Dir, one.Schedule = on, &info.Chart, dir, schedules[info.Name]
			if err := one.announce(ctx, s); err != nil {
				return "", err
			}
			return one.judged(ctx, s, fmt.Sprintf("chart %s %s in topology %s, OpenBao %%s", info.Chart.Name, info.Chart.Version,
				info.Name))
		},
	})
}

// print prints a report and writes it beside the history, with JUnit and pictures of violations.
func (f *Faults) print(s *session.Session, report *check.Report) error {
	report.Reproduce = f.Reproduce
	written := pages.WriteFaults(f.Dir, report)
	if f.Silent {
		return written
	}
	return errors.Join(written, printed(s, f.Dir, report, check.Encode, check.Text))
}

// Shrink cuts the schedule to the least that still fails, and writes it as shrunk.json. The
// verdict is FAIL where it failed, and INCONCLUSIVE where it did not.
func (f *Faults) Shrink(ctx context.Context, s *session.Session, shrinker faults.Shrinker) (result.Verdict, error) {
	if err := f.prepare(ctx, s); err != nil {
		return "", err
	}
	shrinker.Options = f.Options
	least, report, err := shrinker.Shrink(ctx)
	switch {
	case least == nil && err == nil:
		fmt.Fprintf(s.Aside(), "no such violation in %d runs of all %d faults: raise --times\n", shrinker.Times,
			len(f.Schedule.Steps))
		return result.Inconclusive, nil
	case least == nil:
		return "", err
	}
	least.Reproduce, report.Target = f.Reproduce, fmt.Sprintf(processes, report.History.Server)
	path := filepath.Join(f.Dir, "shrunk.json")
	written := least.WriteFile(path)
	fmt.Fprintf(s.Aside(), "%s\n%s\n\nAgain: steamer faults replay %s\n\n", least, strings.Join(least.Finding.Story, "\n"),
		path)
	return result.Fail, errors.Join(err, written, f.print(s, report))
}
