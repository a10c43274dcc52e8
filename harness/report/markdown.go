package report

import (
	"bytes"
	_ "embed"
	"io"
	"text/template"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
)

//go:embed assets/report.md.tmpl
var markdownTemplate string

// runMarkdown writes a report to paste into a merge request or a readiness issue:
// each indicator with its objective, what was measured, and the verdict.
func runMarkdown(w io.Writer, r *result.Result) error {
	t, err := template.New("report.md").Funcs(template.FuncMap{"cell": render.Cell, "code": render.Code}).Parse(
		markdownTemplate)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, newPage(r)); err != nil {
		return err
	}
	_, err = b.WriteTo(w)
	return err
}
