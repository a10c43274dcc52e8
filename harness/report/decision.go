package report

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"path/filepath"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
)

// WriteDecision writes a gate's decision into dir, which must exist: gate.json, gate.html, gate.md
// gate.xml, and a page for each comparison.
func WriteDecision(dir string, d *gate.Decision) error {
	d = secret.Scrub(d)
	data, err := gate.Encode(d)
	if err != nil {
		return err
	}
	for name, write := range map[string]func(io.Writer) error{
		"gate.json": func(w io.Writer) error { _, err := w.Write(data); return err },
		"gate.html": func(w io.Writer) error { return decisionHTML(w, d) },
		"gate.md":   func(w io.Writer) error { return decisionMarkdown(w, d) },
		"gate.xml":  func(w io.Writer) error { return decisionJUnit(w, d) },
	} {
		err = errors.Join(err, render.WriteFile(filepath.Join(dir, name), write))
	}
	for i := range d.Compared {
		err = errors.Join(err, writeComparisonPage(dir, i, &d.Compared[i], nil))
	}
	return err
}

// decisionPage is a decision prepared for the templates, as text that each escapes for its own
// format.
type decisionPage struct {
	*gate.Decision
	head
	Verdict string
	When    string
	Rows    []criterionRow
	Judged  []judgedView
	Against []againstView
	CSS     template.CSS
}

type criterionRow struct {
	gate.Criterion
	Badge string // the verdict, or "not judged" where it does not count
}

type judgedView struct {
	gate.Judged
	SLOs, Validity []checkView
	Changed        bool // the derived verdict is not the recorded one
}

func newDecisionPage(d *gate.Decision) *decisionPage {
	p := &decisionPage{Decision: d, Verdict: string(d.Verdict), When: render.Moment(d.Made)}
	p.head = newHead(d.Verdict, typesetAll(d.Reasons), map[result.Verdict]string{
		result.Pass:         "Every required criterion is met, and none is missed.",
		result.Fail:         "A criterion is missed. Do not ship before it is understood.",
		result.Inconclusive: "A required criterion could not be judged. Supply what is missing, and decide again.",
	})
	for _, c := range d.Criteria {
		row := criterionRow{c, string(c.Verdict)}
		if c.Verdict == result.Inconclusive && !c.Required {
			row.Badge = "not judged"
		}
		row.Reasons = typesetAll(c.Reasons)
		p.Rows = append(p.Rows, row)
	}
	for _, c := range d.Compared {
		p.Against = append(p.Against, newAgainst(c))
	}
	for _, j := range d.Runs {
		v := judgedView{Judged: j, Changed: j.Recorded != j.Derived}
		v.Reasons = typesetAll(j.Reasons)
		v.SLOs, v.Validity = newChecks(j.Checks)
		p.Judged = append(p.Judged, v)
	}
	return p
}

// decisionHTML writes a self-contained page without any script.
func decisionHTML(w io.Writer, d *gate.Decision) error {
	t, css, err := pageTemplate("gate.html.tmpl")
	if err != nil {
		return err
	}
	p := newDecisionPage(d)
	p.CSS = css
	return t.Execute(w, p)
}

// decisionMarkdown writes what a release issue wants: verdict, criteria, evidence.
func decisionMarkdown(w io.Writer, d *gate.Decision) error {
	return markdown(w, "gate.md.tmpl", newDecisionPage(d))
}

// decisionJUnit writes each criterion as a case, and the verdict as one more.
func decisionJUnit(w io.Writer, d *gate.Decision) error {
	s := junit.Testsuite{Name: "gate", Timestamp: render.Timestamp(d.Made)}
	for _, c := range d.Criteria {
		unsure := string(c.Verdict)
		if !c.Required {
			unsure = "not judged"
		}
		s.AddTestcase(render.VerdictCase(junit.Testcase{Name: "gate/" + c.ID, Classname: "gate", Time: render.Seconds(0)}, "criterion",
			c.Verdict, c.Reasons, unsure))
	}
	s.AddTestcase(render.VerdictCase(junit.Testcase{Name: "gate/verdict", Classname: "gate", Time: render.Seconds(0)}, "criterion",
		d.Verdict, d.Reasons, string(d.Verdict)))
	return render.Suites(w, "steamer gate", s)
}

// DecisionSummary writes what a person at a terminal needs to know; colour adds ANSI colours to
// the verdicts.
func DecisionSummary(w io.Writer, d *gate.Decision, colour bool) error {
	p := newDecisionPage(d)
	var b strings.Builder
	fmt.Fprintf(&b, "\nSteamer gate: %s   %s\n\n", painted(p.Verdict, colour), render.Plain(chartName(d.Chart)))
	for _, r := range p.Rows {
		name := r.ID
		if r.Required {
			name += " *"
		}
		fmt.Fprintf(&b, "  %-14s %s%*s%s\n", name, painted(r.Badge, colour), max(1, 14-len(r.Badge)), "",
			render.Plain(r.Measured))
	}
	b.WriteString("  (* required)\n\n  Why\n")
	for _, s := range append(p.Top, p.More...) {
		fmt.Fprintf(&b, "    - %s\n", render.Plain(s))
	}
	for i, s := range d.Since {
		if i == 0 {
			b.WriteString("\n  Since the earlier decision\n")
		}
		fmt.Fprintf(&b, "    - %s\n", render.Plain(s))
	}
	for i, a := range d.Accepted {
		if i == 0 {
			b.WriteString("\n  Accepted for a while\n")
		}
		fmt.Fprintf(&b, "    - %s\n", render.Plain(a.String()))
	}
	fmt.Fprintf(&b, "\n  Decide again with: %s\n", render.Plain(d.Reproduce))
	_, err := io.WriteString(w, b.String())
	return err
}

func chartName(c result.Chart) string {
	if c.Name == "" {
		return "no chart"
	}
	return strings.TrimSpace(c.Name+" "+c.Version) + " (" + c.Digest + ")"
}
