package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/session"
)

// Faults says how to break processes of this machine under load.
type Faults struct {
	faults.Options
	Output string // directory below which files go
}

// Run does the schedule and judges the history. The verdict is "" where there is no history.
func (f *Faults) Run(ctx context.Context, s *session.Session) (result.Verdict, error) {
	builder, err := s.Builder()
	if err != nil {
		return "", err
	}
	if f.Dir, err = session.Directory(f.Output, "faults"); err != nil {
		return "", err
	}
	if f.Server.Binary, err = builder.OpenBaoBinary(ctx); err != nil {
		return "", exit.Environmentf("program bao", "steamer doctor", "%w", err)
	}
	f.Progress, f.Reproduce, f.Schedule.Reproduce = s.Note, s.CommandLine(), s.CommandLine()
	fmt.Fprintf(s.Aside(), "%s\n", f.Schedule)
	if err := f.Schedule.WriteFile(filepath.Join(f.Dir, "schedule.json")); err != nil {
		return "", err
	}
	report, err := faults.Run(ctx, f.Options)
	if report == nil {
		return "", err
	}
	report.Reproduce, report.Target = f.Reproduce, "two processes of OpenBao "+report.History.Server+" on one PostgreSQL"
	printed := session.Print(s, report, check.Encode, func(w io.Writer) error {
		fmt.Fprintf(w, "Files: %s\n", f.Dir)
		return check.Text(w, report)
	})
	return report.Verdict, errors.Join(err, printed, check.WriteFile(filepath.Join(f.Dir, "report.json"), report))
}
