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

	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/steps"
)

// Comparison says what to compare, and how.
type Comparison struct {
	Design     compare.Design
	Scenarios  []scenario.Scenario // run on both sides after the load
	Quarantine *compare.Quarantine // nil for none
	Output     string              // directory that the directory of this comparison is made in
	KeepLogs   bool                // keep k6's interval log of every slice
	DryRun     bool                // check everything, print the design, and stop

	Local bool // compare processes of this machine instead of charts

	Ground     Ground // of charts
	Base, Head string // charts, as CHART or CHART@VALUES[,VALUES]

	BaseConfig, HeadConfig string // of processes: file of a JSON Patch; empty for none
	BaseBinary, HeadBinary string // of processes: program; empty for the one that Steamer builds

	delays, limits bool // drive both so that one can be delayed, and as processes limited
}

// place is where both sides are. Run opens them for the engine, calls drive, and removes what it
// made, also after ctx was cancelled. The logs of k6 go into the directory logs.
type place interface {
	Run(ctx context.Context, doc *compare.Comparison, s *steps.Steps, engine *compare.Engine, logs string,
		drive func(context.Context) error) error
}

// Run compares and writes and prints what came out. The verdict is "" where nothing was judged: a
// dry run, or what kept it from being driven.
func (c *Comparison) Run(ctx context.Context, sess *session.Session) (result.Verdict, error) {
	on, err := c.ready(ctx, sess)
	if on == nil {
		return "", err
	}
	doc, dir, driven := c.drive(ctx, sess, on)
	if doc == nil {
		return "", driven
	}
	return c.finish(ctx, sess, doc, dir, driven)
}

// ready checks everything before anything is started. It returns nil where nothing is to be
// compared: after an error and after a dry run. It makes the command begin again where its cluster
// can be, unless it is there.
func (c *Comparison) ready(ctx context.Context, sess *session.Session) (on place, err error) {
	elsewhere := func() error { return nil }
	if c.Local {
		if on, err = c.localPair(sess); err != nil {
			return nil, err
		}
		c.Design.Where = "local"
	} else {
		charts, err := c.Ground.resolve(ctx, sess, c.Base, c.Head, &c.Design)
		if err != nil {
			return nil, err
		}
		charts.Delayed = c.delays
		if on = charts; charts.Provider.Elsewhere {
			on, elsewhere = nil, func() error { return sess.Enter(ctx, charts.Provider) }
		}
	}
	if c.DryRun {
		return nil, printDesign(sess.Stdout, c.Design)
	}
	return on, elsewhere()
}

// drive compares the sides and writes what came out into a directory of its own. The error is what
// kept it from its end; without one that could be made, there is no comparison either.
func (c *Comparison) drive(ctx context.Context, sess *session.Session, on place) (
	doc *compare.Comparison, dir string, err error,
) {
	doc, dir, logs, err := c.begin(sess, "compare")
	if err != nil {
		return nil, "", err
	}
	doc.NotMeasured = c.notMeasured()
	engine := c.engine(sess, dir)
	return doc, dir, on.Run(ctx, doc, steps.New(sess.Progress()), engine, logs, func(ctx context.Context) error {
		return engine.Drive(ctx, doc)
	})
}

// notMeasured says what the comparison says nothing about.
func (c *Comparison) notMeasured() []string {
	if c.Local {
		return []string{
			"anything of Kubernetes, of a network, and of CPU limits: both arms are plain processes on loopback",
		}
	}
	out := []string{"network latency between GitLab, runners, OpenBao and PostgreSQL: everything shares one cluster"}
	if len(c.Ground.Images[0])+len(c.Ground.Images[1]) == 0 {
		out = append(out, "another OpenBao that either chart may name by itself: both ran the same image")
	}
	return out
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

// printDesign prints a design and how long it may take.
func printDesign(w io.Writer, d compare.Design) error {
	data, err := yaml.Marshal(d)
	if err != nil {
		return err
	}
	// k6 takes about a second to start, for every slice or by turns once for all pairs up to an
	// interim analysis; on a cluster there is one more until pods are observed to the end.
	pair := 2 * (d.Slice + d.Warmup + d.Idle + 1)
	if d.Where != "local" {
		pair += 2
	}
	if d.Turns {
		pair = 2*(d.Slice+d.Idle) + (d.Warmup+1)/float64(max(1, min(d.InterimEvery, d.MaxPairs)))
	}
	_, err = fmt.Fprintf(w, "%s# about %.0f s a pair: first interim analysis after %.0f min, all pairs in %.0f min\n",
		data, pair, pair*float64(min(d.InterimEvery, d.MaxPairs))/60, pair*float64(d.MaxPairs)/60)
	return err
}
