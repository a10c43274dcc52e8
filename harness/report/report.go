// Package report writes what people and tools read of a run, a gate's decision, a comparison and a
// check of a chart: HTML pages, JUnit XML, Markdown, OpenMetrics, GitLab's load-performance JSON,
// plots, the forms that benchstat and readers of the GitLab Performance Tool know, and summaries
// for the terminal. Reports judge nothing and hold nothing that the record does not.
package report

import (
	"errors"
	"io"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
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
	all := []file{
		{"report.html", runHTML},
		{"junit.xml", runJUnit},
		{"report.md", runMarkdown},
		{"metrics.txt", openMetrics},
	}
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
		all = append(all, file{"load-performance-" + name + ".json", of(loadPerformance)}, file{
			"latency-" + name + ".png",
			of(latencyPNG),
		})
		if t.Load.Intended.HDR != "" || t.Load.Actual.HDR != "" {
			all = append(all, file{"percentiles-" + name + ".png", of(percentilesPNG)})
		}
	}
	if loaded {
		all = append(all, file{"benchstat.txt", benchstat}, file{"gpt.txt", gptTable})
	}
	return all
}

// WriteAll writes every report of r into dir, which must exist, side by side on the CPUs there
// are. One that fails does not keep the others from being written.
func WriteAll(dir string, r *result.Result) error {
	r = secret.Scrub(r)
	all := files(r)
	errs := make([]error, len(all))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range all {
		group.Go(func() error {
			errs[i] = render.WriteFile(filepath.Join(dir, f.name), func(w io.Writer) error { return f.write(w, r) })
			return nil
		})
	}
	return errors.Join(append(errs, group.Wait())...)
}
