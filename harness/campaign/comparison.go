// Package campaign holds the programs that take longer than one run: a comparison of two charts or
// servers, a calibration of comparisons, a release gate, and a test of the suite by mutants. Each
// takes its options as a struct, and returns a verdict.
package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/session"
)

// Comparison says what to compare, and how.
type Comparison struct {
	Design     compare.Design
	Scenarios  []scenario.Scenario // run on both sides after the load
	Quarantine *compare.Quarantine // nil for none
	Output     string              // directory that the directory of this comparison is made in
	KeepLogs   bool                // keep k6's interval log of every slice
	DryRun     bool                // check everything, print the design, and stop

	Ground     Ground // of charts
	Base, Head string // charts, as CHART or CHART@VALUES[,VALUES]

	BaseConfig, HeadConfig string // of processes: file of a JSON Patch; empty for none
	BaseBinary, HeadBinary string // of processes: program; empty for the one that Steamer builds
}

// begin makes the comparison's frame and directory, with one for k6's logs in it.
func (c *Comparison) begin(sess *session.Session, kind string) (doc *compare.Comparison, dir, logs string,
	err error,
) {
	id := result.NewID(time.Now().UTC())
	dir = filepath.Join(c.Output, kind+"-"+id)
	logs = filepath.Join(dir, slicesDirectory)
	if err := session.MakeDirectory(logs); err != nil {
		return nil, "", "", err
	}
	return c.frame(sess, id), dir, logs, nil
}

// slicesDirectory is where k6's logs are below a comparison's directory.
const slicesDirectory = "slices"

// frame is a comparison that has not begun.
func (c *Comparison) frame(sess *session.Session, id string) *compare.Comparison {
	doc := compare.New(id, c.Design)
	doc.Reproduce, doc.Steamer, doc.Host = sess.CommandLine(), session.Version(), platform.ThisHost()
	return doc
}

// engine drives the comparison, and keeps what it has after each block in dir.
func (c *Comparison) engine(sess *session.Session, dir string) *compare.Engine {
	return &compare.Engine{
		Scenarios: c.Scenarios, Validity: judge.DefaultValidity(), Quarantine: c.Quarantine, Log: sess.Note,
		Save: func(doc *compare.Comparison) error {
			return compare.WriteFile(filepath.Join(dir, compare.JSONFile), doc)
		},
	}
}

// write writes the reports of a comparison that was driven.
func (c *Comparison) write(doc *compare.Comparison, dir string) error {
	err := report.WriteComparison(dir, doc)
	if !c.KeepLogs {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, slicesDirectory)))
	}
	return err
}

// finish writes the reports of a comparison that was driven, and prints it. driven is what kept it
// from its end.
func (c *Comparison) finish(ctx context.Context, sess *session.Session, doc *compare.Comparison, dir string,
	driven error,
) (result.Verdict, error) {
	if err := errors.Join(driven, c.write(doc, dir)); err != nil && doc.Verdict != result.Fail {
		return "", err
	}
	if err := session.Print(sess, doc, compare.Encode, func(w io.Writer) error {
		fmt.Fprintln(w)
		return report.ComparisonText(w, doc)
	}); err != nil {
		return "", err
	}
	fmt.Fprintf(sess.Aside(), "\nDirectory: %s\n", dir)
	if doc.Verdict != result.Fail {
		return doc.Verdict, ctx.Err()
	}
	return doc.Verdict, nil
}
