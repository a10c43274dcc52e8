// Package report renders one result.Result for its readers: an HTML page, JUnit
// XML, Markdown, OpenMetrics, GitLab's load-performance JSON, plots, the forms that
// benchstat and readers of the GitLab Performance Tool know, and a summary for the
// terminal; and a gate's decision likewise. Reports judge nothing and hold nothing
// that the Result does not.
package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
)

// file is one report and how to write it.
type file struct {
	name  string
	write func(io.Writer, *result.Result) error
}

// files lists the reports of r: four for every run, and more where there was load.
func files(r *result.Result) []file {
	all := []file{{"report.html", HTML}, {"junit.xml", JUnit}, {"report.md", Markdown}, {"metrics.txt", OpenMetrics}}
	loaded := false
	for i := range r.Topologies {
		t := &r.Topologies[i]
		if t.Load == nil {
			continue
		}
		loaded = true
		name := filepath.Base(t.Name)
		of := func(write func(io.Writer, *result.Topology) error) func(io.Writer, *result.Result) error {
			return func(w io.Writer, _ *result.Result) error { return write(w, t) }
		}
		all = append(all, file{"load-performance-" + name + ".json", of(LoadPerformance)}, file{
			"latency-" + name + ".png",
			of(LatencyPNG),
		})
		if t.Load.Intended.HDR != "" || t.Load.Actual.HDR != "" {
			all = append(all, file{"percentiles-" + name + ".png", of(PercentilesPNG)})
		}
	}
	if loaded {
		all = append(all, file{"benchstat.txt", Benchstat}, file{"gpt.txt", GPT})
	}
	return all
}

// WriteAll writes every report of r into dir, which must exist, side by side on the CPUs there are.
// One that fails does not keep the others from being written.
func WriteAll(dir string, r *result.Result) error {
	r = secret.Scrub(r)
	all := files(r)
	errs := make([]error, len(all))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range all {
		group.Go(func() error {
			if err := writeFile(filepath.Join(dir, f.name), f, r); err != nil {
				errs[i] = exit.Environmentf(f.name, "make the run directory writable and free some disk space", "%w", err)
			}
			return nil
		})
	}
	return errors.Join(append(errs, group.Wait())...)
}

func writeFile(path string, f file, r *result.Result) error {
	var out bytes.Buffer
	if err := f.write(&out, r); err != nil {
		return fmt.Errorf("render: %w", err)
	}
	return secret.WriteFile(path, out.Bytes(), secret.Public)
}
