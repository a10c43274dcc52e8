package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults/protocol"
	"gitlab.com/steamer/steamer/harness/report/pages"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/session"
)

// Protocol says how to let requests of Rails' sequences fail.
type Protocol struct {
	protocol.Options
	Output string // directory below which files go
}

// Run tries the rows and writes the table. The verdict is "" where there is no row.
func (p *Protocol) Run(ctx context.Context, s *session.Session) (result.Verdict, error) {
	builder, err := s.Builder()
	if err != nil {
		return "", err
	}
	dir, err := session.Directory(p.Output, "protocol")
	if err != nil {
		return "", err
	}
	if p.Server.Binary, err = builder.OpenBaoBinary(ctx); err != nil {
		return "", exit.Environmentf("program bao", "steamer doctor", "%w", err)
	}
	p.Progress = s.Note
	report, err := protocol.Run(ctx, p.Options)
	if report == nil {
		return "", err
	}
	report.Reproduce = s.CommandLine()
	report.Target = "two processes of OpenBao " + report.Server + " on one PostgreSQL"
	printed := session.Print(s, report, protocol.Encode, func(w io.Writer) error {
		fmt.Fprintf(w, "Files: %s\n", dir)
		return protocol.Text(w, report)
	})
	return report.Verdict, errors.Join(err, printed, pages.WriteProtocol(dir, report))
}
