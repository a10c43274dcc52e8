package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults/deadlines"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/session"
)

// Deadlines says how to measure revocations on processes of this machine.
type Deadlines struct {
	deadlines.Options
	Output string // directory below which files go
}

// Run measures. The verdict is "" where nothing was started.
func (d *Deadlines) Run(ctx context.Context, s *session.Session) (result.Verdict, error) {
	builder, err := s.Builder()
	if err != nil {
		return "", err
	}
	dir, err := session.Directory(d.Output, "deadlines")
	if err != nil {
		return "", err
	}
	if d.Server.Binary, err = builder.OpenBaoBinary(ctx); err != nil {
		return "", exit.Environmentf("program bao", "steamer doctor", "%w", err)
	}
	d.Progress, d.Reproduce = s.Note, s.CommandLine()
	report, err := deadlines.Run(ctx, d.Options)
	if len(report.Rows) == 0 && err != nil {
		return "", err
	}
	printed := session.Print(s, report, deadlines.Encode, func(w io.Writer) error {
		fmt.Fprintf(w, "Files: %s\n", dir)
		return deadlines.Text(w, report)
	})
	return report.Verdict, errors.Join(err, printed, deadlines.WriteFile(filepath.Join(dir, "deadlines.json"), report))
}
