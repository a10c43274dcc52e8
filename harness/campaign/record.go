package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults/record"
	"gitlab.com/steamer/steamer/harness/report/pages"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/session"
)

// TrackRecord says how to look for known bugs of OpenBao again.
type TrackRecord struct {
	record.Options
	Output   string   // directory below which files go
	From     []string // record.json of earlier runs; nothing is run then
	Markdown string   // file for the page; "" is none beside the directory's
}

// Run looks for the bugs, or reads what was found, and writes the page. The verdict is "" where
// nothing was started.
func (t *TrackRecord) Run(ctx context.Context, s *session.Session) (result.Verdict, error) {
	if len(t.From) > 0 {
		return result.Pass, t.page()
	}
	if t.Server.Binary == "" {
		builder, err := s.Builder()
		if err != nil {
			return "", err
		}
		if t.Server.Binary, err = builder.OpenBaoBinary(ctx); err != nil {
			return "", exit.Environmentf("program bao", "steamer doctor", "%w", err)
		}
	}
	var err error
	if t.Dir, err = session.Directory(t.Output, "record"); err != nil {
		return "", err
	}
	t.Progress, t.Reproduce = s.Note, s.CommandLine()
	report, err := record.Run(ctx, t.Options)
	if report == nil {
		return "", err
	}
	printed := session.Print(s, report, record.Encode, func(w io.Writer) error {
		fmt.Fprintf(w, "Files: %s\n", t.Dir)
		return record.Text(w, report)
	})
	written := pages.WriteTrackRecord(t.Dir, report)
	if t.Markdown != "" && written == nil {
		t.From = []string{filepath.Join(t.Dir, "record.json")}
		written = t.page()
	}
	return report.Verdict, errors.Join(err, printed, written)
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
