package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"io"

	"gitlab.com/steamer/steamer/harness/result"
)

//go:embed assets
var assets embed.FS

// htmlPage is a page with what the HTML needs besides. The assets are our own
// or the embedded plot library's, never data, so they may skip escaping.
type htmlPage struct {
	*page
	CSS      template.CSS
	Library  template.JS
	Script   template.JS
	Policy   string             // content security policy: nothing may be fetched, only these scripts run
	Data     map[string]*charts // by view ID
	Licences string
}

// runHTML writes a self-contained page: it needs no network, no other file and, but
// for its plots, no script. A content security policy keeps it that way, whatever
// a cluster put into the names and messages it shows.
func runHTML(w io.Writer, r *result.Result) error {
	t, css, err := pageTemplate("report.html.tmpl")
	if err != nil {
		return err
	}
	text := map[string]string{}
	for _, name := range []string{"uPlot.min.css", "uPlot.iife.min.js", "report.js", "uPlot.LICENSE"} {
		b, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return err
		}
		text[name] = string(b)
	}
	p := htmlPage{
		page: newPage(r), Data: map[string]*charts{}, Licences: text["uPlot.LICENSE"],
		CSS:     template.CSS(text["uPlot.min.css"]) + css,
		Library: template.JS(text["uPlot.iife.min.js"]), Script: template.JS(text["report.js"]),
	}
	p.Policy = "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline'; script-src " +
		hash(string(p.Library)) + " " + hash(string(p.Script))
	for _, v := range p.Views {
		if v.Charts != nil {
			p.Data[v.ID] = v.Charts
		}
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return err
	}
	_, err = b.WriteTo(w)
	return err
}

// pageTemplate is the template of a page, and the style of all pages.
func pageTemplate(name string) (*template.Template, template.CSS, error) {
	t, err := template.New(name).Funcs(template.FuncMap{
		"badge":  badge,
		"joined": func(r row) string { return r.Cells[0] },
	}).ParseFS(assets, "assets/*.html.tmpl")
	if err != nil {
		return nil, "", err
	}
	css, err := assets.ReadFile("assets/report.css")
	return t, template.CSS(css), err
}

// hash is a CSP source that allows exactly this inline script.
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// look is how an outcome is shown: never by colour alone.
type look struct{ Class, Sign, Text string }

// badge maps any outcome, a verdict or a scenario's status, to its look.
func badge(v any) look {
	s := ""
	switch x := v.(type) {
	case string:
		s = x
	case result.Verdict:
		s = string(x)
	case result.Status:
		s = string(x)
	}
	switch s {
	case string(result.Pass), string(result.Passed):
		return look{"pass", "✓", s}
	case string(result.Fail), string(result.Failed):
		return look{"fail", "✕", s}
	case string(result.Inconclusive):
		return look{"unsure", "?", s}
	case string(result.Skipped):
		return look{"skip", "–", s}
	}
	if s == "not judged" {
		return look{"skip", "–", s}
	}
	return look{"info", "i", s}
}
