// Package pages writes the reports of what measures more than one run: capacity, sizing,
// experiments, calibrations, mutants and trends. It is apart from package report because campaigns
// are built on runs, which write their own reports.
package pages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/secret"
)

// writeFile writes what a report prints to a file.
func writeFile(path string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return document.WriteFile(path, b.Bytes())
}

// writeRecord writes a record as JSON.
func writeRecord(path string, record any) error {
	return writeFile(path, func(w io.Writer) error { return encode(w, record) })
}

// encode prints a record as JSON.
func encode(w io.Writer, record any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(secret.Scrub(record))
}

// writeMeasurement writes a record as JSON and its report as Markdown.
func writeMeasurement(dir, name string, record any, markdown string) error {
	if err := writeRecord(filepath.Join(dir, name+".json"), record); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, name+".md"), func(w io.Writer) error {
		_, err := io.WriteString(w, markdown)
		return err
	})
}

// text collects lines.
type text struct{ strings.Builder }

func (t *text) line(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

// list writes reasons, and that a campaign did not reach its end.
func (t *text) list(reasons []string, partial bool) {
	for _, reason := range reasons {
		t.line("- %s", reason)
	}
	if partial {
		t.line("- **partial**: what follows is what was measured until then")
	}
}

// end writes what was not measured, and how to repeat it.
func (t *text) end(notMeasured []string, reproduce string) {
	for _, gap := range notMeasured {
		t.line("\nNot measured: %s.", strings.TrimSuffix(gap, "."))
	}
	if reproduce != "" {
		t.line("\nReproduce: %s", render.Code(reproduce))
	}
}
