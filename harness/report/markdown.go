package report

import (
	"bytes"
	_ "embed"
	"io"
	"regexp"
	"strings"
	"text/template"

	"gitlab.com/steamer/steamer/harness/result"
)

//go:embed assets/report.md.tmpl
var markdownTemplate string

// Markdown writes a report to paste into a merge request or a readiness issue:
// each indicator with its objective, what was measured, and the verdict.
func Markdown(w io.Writer, r *result.Result) error {
	t, err := template.New("report.md").Funcs(template.FuncMap{"cell": cell, "code": code}).Parse(markdownTemplate)
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

// cell makes s safe inside a table cell or a list item: no structure, no HTML,
// and none of the mentions and references that GitLab would act on.
func cell(s string) string {
	s = strings.Join(strings.Fields(clean(s)), " ")
	s = strings.NewReplacer("|", "\\|", "<", "&lt;", ">", "&gt;", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "]",
		"\\]", "$", "\\$").Replace(s)
	return regexp.MustCompile(`([@#!~%])([\pL\pN_])`).ReplaceAllStringFunc(s, func(ref string) string {
		return ref[:1] + "\u200b" + ref[1:]
	})
}

// code makes s an inline code span.
func code(s string) string {
	s = strings.Join(strings.Fields(clean(s)), " ")
	return "`" + strings.NewReplacer("`", "'", "|", "\\|").Replace(s) + "`"
}
