package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/report/pages"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/session"
)

// Faults says how to break processes of this machine under load.
type Faults struct {
	faults.Options
	Output string // directory below which files go
}

// prepare finds the program, makes the directory and prints the schedule.
func (f *Faults) prepare(ctx context.Context, s *session.Session) error {
	builder, err := s.Builder()
	if err != nil {
		return err
	}
	if f.Dir, err = session.Directory(f.Output, "faults"); err != nil {
		return err
	}
	if f.Server.Binary, err = builder.OpenBaoBinary(ctx); err != nil {
		return exit.Environmentf("program bao", "steamer doctor", "%w", err)
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
	report, err := faults.Run(ctx, f.Options)
	if report == nil {
		return "", err
	}
	return report.Verdict, errors.Join(err, f.print(s, report))
}

// print prints a report and writes it beside the history, with JUnit and pictures of violations.
func (f *Faults) print(s *session.Session, report *check.Report) error {
	report.Reproduce, report.Target = f.Reproduce, "two processes of OpenBao "+report.History.Server+" on one PostgreSQL"
	printed := session.Print(s, report, check.Encode, func(w io.Writer) error {
		fmt.Fprintf(w, "Files: %s\n", f.Dir)
		return check.Text(w, report)
	})
	return errors.Join(printed, pages.WriteFaults(f.Dir, report))
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
	least.Reproduce = f.Reproduce
	path := filepath.Join(f.Dir, "shrunk.json")
	written := least.WriteFile(path)
	fmt.Fprintf(s.Aside(), "%s\n%s\n\nAgain: steamer faults replay %s\n\n", least, strings.Join(least.Finding.Story, "\n"),
		path)
	return result.Fail, errors.Join(err, written, f.print(s, report))
}
