package report

import (
	"bytes"
	"io"
	"text/template"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
)

// runMarkdown writes a report to paste into a merge request or a readiness issue:
// each indicator with its objective, what was measured, and the verdict.
func runMarkdown(w io.Writer, r *result.Result) error {
	return markdown(w, "report.md.tmpl", newPage(r))
}

// markdown writes a page by a template of assets.
func markdown(w io.Writer, name string, page any) error {
	t, err := template.New(name).Funcs(template.FuncMap{"cell": render.Cell, "code": render.Code}).ParseFS(assets,
		"assets/"+name)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, page); err != nil {
		return err
	}
	_, err = b.WriteTo(w)
	return err
}
