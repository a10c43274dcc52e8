package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"gitlab.com/steamer/steamer/harness/faults/deadlines"
	"gitlab.com/steamer/steamer/harness/faults/protocol"
	"gitlab.com/steamer/steamer/harness/faults/record"
	"gitlab.com/steamer/steamer/harness/findings"
	"gitlab.com/steamer/steamer/harness/report/pages"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/local"
)

// printed prints a record, and as text also where its files are.
func printed[T any](s *session.Session, dir string, record *T, encode func(*T) ([]byte, error),
	text func(io.Writer, *T) error,
) error {
	return session.Print(s, record, encode, func(w io.Writer) error {
		fmt.Fprintf(w, "Files: %s\n", dir)
		return text(w, record)
	})
}

// Deadlines says how to measure revocations on processes of this machine.
type Deadlines struct {
	deadlines.Options
	Output string // directory below which files go
}

// Run measures. The verdict is "" where nothing was started.
func (d *Deadlines) Run(ctx context.Context, s *session.Session) (result.Verdict, error) {
	dir, err := s.Lab(ctx, d.Output, "deadlines", &d.Server.Binary)
	if err != nil {
		return "", err
	}
	d.Progress, d.Reproduce = s.Note, s.CommandLine()
	report, err := deadlines.Run(ctx, d.Options)
	if len(report.Rows) == 0 && err != nil {
		return "", err
	}
	return report.Verdict, errors.Join(err, printed(s, dir, report, deadlines.Encode, deadlines.Text),
		deadlines.WriteFile(filepath.Join(dir, "deadlines.json"), report))
}

// Protocol says how to let requests of Rails' sequences fail.
type Protocol struct {
	protocol.Options
	Output string // directory below which files go
}

// Run tries the rows and writes the table. The verdict is "" where there is no row.
func (p *Protocol) Run(ctx context.Context, s *session.Session) (result.Verdict, error) {
	dir, err := s.Lab(ctx, p.Output, "protocol", &p.Server.Binary)
	if err != nil {
		return "", err
	}
	p.Progress = s.Note
	report, err := protocol.Run(ctx, p.Options)
	if report == nil {
		return "", err
	}
	report.Reproduce, report.Target = s.CommandLine(), fmt.Sprintf(processes, report.Server)
	return report.Verdict, errors.Join(err, printed(s, dir, report, protocol.Encode, protocol.Text),
		pages.WriteProtocol(dir, report))
}

// TrackRecord says how to look for known bugs of OpenBao again.
type TrackRecord struct {
	record.Options
	Output   string   // directory below which files go
	From     []string // record.json of earlier runs; nothing is run then
	Markdown string   // file for the page; "" is none beside the directory's
}

// Run looks for the bugs, or reads what was found, and writes the page. The verdict is "" where
// nothing was started.
func (t *TrackRecord) Run(ctx context.Context, s *session.Session) (_ result.Verdict, err error) {
	if len(t.From) > 0 {
		return result.Pass, t.page()
	}
	if t.Dir, err = s.Lab(ctx, t.Output, "record", &t.Server.Binary); err != nil {
		return "", err
	}
	t.Progress, t.Reproduce = s.Note, s.CommandLine()
	report, err := record.Run(ctx, t.Options)
	if report == nil {
		return "", err
	}
	err = errors.Join(err, printed(s, t.Dir, report, record.Encode, record.Text))
	written := pages.WriteTrackRecord(t.Dir, report)
	if t.Markdown != "" && written == nil {
		t.From = []string{filepath.Join(t.Dir, "record.json")}
		written = t.page()
	}
	return report.Verdict, errors.Join(err, written)
}

// page writes the page of some records.
func (t *TrackRecord) page() error {
	var reports []*record.Report
	for _, path := range t.From {
		r, err := record.ReadFile(path)
		if err != nil {
			return err
		}
		reports = append(reports, r)
	}
	return pages.WriteTrackRecordPage(t.Markdown, record.Merge(reports))
}

// Findings says which experiments to run, or which run directories to judge again.
type Findings struct {
	Experiments []findings.Experiment
	From        []string // run directories to judge again; nothing is run
	Output      string   // directory that the run's directory is made in
	Markdown    string   // file for the page; empty for none
}

// Run runs the experiments, or judges those of From again, and writes and prints what came out.
func (f *Findings) Run(ctx context.Context, sess *session.Session) (result.Verdict, error) {
	if len(f.From) > 0 {
		report, err := findings.Join(f.From)
		if err != nil {
			return "", err
		}
		return report.Verdict, f.Write(sess, report, "")
	}
	if err := session.Writable("--markdown", f.Markdown); err != nil { // found out before the half hour
		return "", err
	}
	dir, err := session.Directory(f.Output, "findings")
	if err != nil {
		return "", err
	}
	openbao, generator, err := sess.Programs(ctx, dir)
	if err != nil {
		return "", err
	}
	open := func(ctx context.Context, spec local.Spec) (target.Target, error) {
		spec.Server.Binary, spec.Generator = openbao, generator
		return local.Open(ctx, spec)
	}
	report, err := findings.All(ctx, open, f.Experiments, sess.CommandLine(), sess.Progress())
	return report.Verdict, errors.Join(err, f.Write(sess, report, dir))
}

// Write writes the files, those into dir only where it is not empty, and prints the verdict.
func (f *Findings) Write(sess *session.Session, report *findings.Report, dir string) error {
	var err error
	if dir != "" {
		err = pages.WriteFindings(dir, report)
	}
	if f.Markdown != "" {
		err = errors.Join(err, secret.WriteFile(f.Markdown, []byte(pages.Findings(report)), secret.Public))
	}
	fmt.Fprintf(sess.Stdout, "%s\n", report.Verdict)
	for _, reason := range report.Reasons {
		fmt.Fprintf(sess.Stdout, "  %s\n", reason)
	}
	if dir != "" {
		fmt.Fprintf(sess.Stdout, "Files: %s\n", dir)
	}
	return err
}
