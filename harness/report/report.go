// Package report renders one result.Result for its readers: an HTML page, JUnit
// XML, Markdown, OpenMetrics, GitLab's load-performance JSON and a summary for
// the terminal. Reports judge nothing and hold nothing that the Result does not.
package report

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// file is one report and how to write it.
type file struct {
	name  string
	write func(io.Writer, *result.Result) error
}

// files lists the reports that WriteAll makes besides one
// load-performance-<topology>.json per topology with load.
func files() []file {
	return []file{{"report.html", HTML}, {"junit.xml", JUnit}, {"report.md", Markdown}, {"metrics.txt", OpenMetrics}}
}

// WriteAll writes every report of r into dir, which must exist. One that fails
// does not keep the others from being written.
func WriteAll(dir string, r *result.Result) error {
	all := files()
	for i := range r.Topologies {
		t := &r.Topologies[i]
		if t.Load != nil {
			all = append(all, file{"load-performance-" + filepath.Base(t.Name) + ".json", func(w io.Writer, _ *result.Result) error { return LoadPerformance(w, t) }})
		}
	}
	var errs []error
	for _, f := range all {
		if err := writeFile(filepath.Join(dir, f.name), f, r); err != nil {
			errs = append(errs, exit.Environmentf(f.name, "make the run directory writable and free some disk space", "%w", err))
		}
	}
	return errors.Join(errs...)
}

func writeFile(path string, f file, r *result.Result) (err error) {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := f.write(out, r); err != nil {
		return fmt.Errorf("render: %w", err)
	}
	return nil
}
