// Package pages writes the reports of what measures more than one run: capacity, sizing,
// experiments, calibrations, mutants and trends. It is apart from package report because campaigns
// are built on runs, which write their own reports.
package pages

import (
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
)

// writeRecord writes a record as JSON.
func writeRecord(path string, record any) error {
	return render.WriteFile(path, func(w io.Writer) error { return encode(w, record) })
}

// encode prints a record as JSON.
func encode(w io.Writer, record any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(secret.Scrub(record))
}

// writeMeasurement writes a record as JSON and its report as Markdown.
func writeMeasurement(dir, name string, record any, d *render.Document) error {
	if err := writeRecord(filepath.Join(dir, name+".json"), record); err != nil {
		return err
	}
	return d.WriteFile(filepath.Join(dir, name+".md"))
}

// reasons lists why a campaign came to its verdict, and that it did not reach its end.
func reasons(d *render.Document, r result.Record) {
	list := slices.Clone(r.Reasons)
	if r.Partial {
		list = append(list, render.Strong("partial")+": what follows is what was measured until then")
	}
	d.List(list...)
}

// ending says what was not measured, and how to repeat it.
func ending(d *render.Document, notMeasured []string, reproduce string) {
	for _, gap := range notMeasured {
		d.Say("Not measured: %s.", strings.TrimSuffix(gap, "."))
	}
	if reproduce != "" {
		d.Say("Reproduce: %s", render.Literal(reproduce))
	}
}
