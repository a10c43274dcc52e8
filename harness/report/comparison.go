package report

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
)

// WriteComparison writes a judged comparison into dir, which must exist: comparison.json and its
// reports comparison.md, comparison.html, and a.bench.txt and b.bench.txt for benchstat.
func WriteComparison(dir string, c *compare.Comparison) error {
	c = secret.Scrub(c)
	err := errors.Join(compare.WriteFile(filepath.Join(dir, compare.JSONFile), c),
		comparisonDocument(c).WriteFile(filepath.Join(dir, "comparison.md")))
	for name, write := range map[string]func(io.Writer) error{
		"a.bench.txt": func(w io.Writer) error { return benchmarks(w, c, compare.A) },
		"b.bench.txt": func(w io.Writer) error { return benchmarks(w, c, compare.B) },
	} {
		err = errors.Join(err, render.WriteFile(filepath.Join(dir, name), write))
	}
	return errors.Join(err, WriteComparisonPage(dir, gate.Shown(c), c))
}

// ComparisonText prints a comparison for a terminal: the verdict with its reasons, then the
// numbers behind it.
func ComparisonText(w io.Writer, c *compare.Comparison) error {
	return comparisonDocument(c).Text(w)
}

// comparisonDocument is a comparison to read.
func comparisonDocument(c *compare.Comparison) *render.Document {
	d := &render.Document{}
	d.Title(2, "%s: B against A", c.Verdict)
	d.List(c.Reasons...)
	d.Table(render.Table{Head: []string{"arm", "what"}, Rows: [][]string{{"A", c.A.Description}, {"B", c.B.Description}}})
	d.Say("%s", setting(c))
	d.Table(metricTable(c))
	d.List(notes(c)...)
	d.Say("Repeat: %s", render.Literal(c.Reproduce))
	return d
}

// setting is one line on the design and what came of it.
func setting(c *compare.Comparison) string {
	d := c.Design
	discarded, _ := compare.Discarded(c.Pairs)
	s := fmt.Sprintf("%s, %s at %g fetches/s, slices of %gs after %gs: %d pairs", d.Where, d.Mode, d.Rate, d.Slice,
		d.Warmup, len(c.Pairs))
	if discarded > 0 {
		s += fmt.Sprintf(", %d discarded", discarded)
	}
	if n := len(c.Interims); n > 0 {
		s += fmt.Sprintf("; judged at interim analysis %d of at most %d, each bound at a level of %.4f", n,
			(d.MaxPairs+d.InterimEvery-1)/d.InterimEvery, c.Interims[n-1].Level)
	}
	if !c.Finished.IsZero() {
		s += "; " + c.Finished.Sub(c.Started).Round(time.Second).String()
	}
	return s
}

// metricTable has a row for each metric.
func metricTable(c *compare.Comparison) render.Table {
	t := render.Table{Head: []string{
		"metric", "A median", "B median", "B/A", "interval", "margin", "MDE", "noise", "change", "verdict",
	}}
	for _, m := range c.Metrics {
		if m.Pairs == 0 {
			t.Add(m.Name, "", "", "", "", "", "", "", "", string(m.Verdict)+": "+m.Reason)
			continue
		}
		verdict, margin, mde := string(m.Verdict), render.Percent(m.Margin), "∞"
		switch {
		case !m.Gate:
			verdict, margin = "informational", ""
			if m.Reason != "" {
				verdict += ": " + m.Reason
			}
		case m.Quarantine != "":
			verdict += ", in quarantine: " + m.Quarantine
		}
		if m.MDE != nil {
			mde = render.Percent(*m.MDE)
		}
		t.Add(m.Name, render.WithUnit(m.A, m.Unit), render.WithUnit(m.B, m.Unit), fmt.Sprintf("%.3f", m.Ratio), m.Range(),
			margin, mde, fmt.Sprintf("%s (%s)", m.Noise, render.Percent(m.CV)), m.Change, verdict)
	}
	return t
}

// notes explains what is not in the table.
func notes(c *compare.Comparison) []string {
	out := []string{
		"B/A is the Hodges-Lehmann estimate over pairs. The interval is not corrected for the number of metrics, the verdict is (Holm).",
		"MDE is the difference that this comparison would have shown in 4 of 5 cases. A verdict needs the whole interval on one side of the margin.",
	}
	out = append(out, c.Notes...)
	for _, m := range c.Metrics {
		if m.Gate && m.Missing != "" {
			out = append(out, m.Name+": "+m.Missing)
		}
	}
	for _, o := range c.Outcomes {
		if o.TotalA+o.TotalB > 0 {
			out = append(out,
				fmt.Sprintf("%s: %d with A and %d with B; more with A in %d, more with B in %d, with both alike in %d of %d pairs (p after Holm %.4f): %s",
					o.Title, o.TotalA, o.TotalB, o.OnlyA, o.OnlyB, o.Both, o.Pairs, o.PHolm, o.Verdict))
		}
	}
	if _, reasons := compare.Discarded(c.Pairs); len(reasons) > 0 {
		out = append(out, "Discarded pairs: "+strings.Join(reasons[:min(3, len(reasons))], "; "))
	}
	if text, differ := bothScenarios(c); len(c.Functional) > 0 {
		out = append(out, "Scenarios: "+text)
		for _, f := range differ {
			line := fmt.Sprintf("Scenario %s: A %s, B %s: %s", f.ID, f.A, f.B, cmp.Or(f.Reason, "no reason given"))
			out = append(out, line)
		}
	}
	for _, n := range c.NotMeasured {
		out = append(out, "Not measured: "+n)
	}
	return out
}

// bothScenarios says how the scenarios that ran on both sides ended, and returns those that
// differ.
func bothScenarios(c *compare.Comparison) (text string, differ []compare.Functional) {
	same := map[result.Status]int{}
	for _, f := range c.Functional {
		if f.A == f.B {
			same[f.A]++
		} else {
			differ = append(differ, f)
		}
	}
	if len(c.Functional) == 0 {
		return "No scenario was run on both.", nil
	}
	return fmt.Sprintf("%s: %d passed, %d failed and %d were skipped with both; %d differ.",
		render.Plural(len(c.Functional), "scenario"), same[result.Passed], same[result.Failed], same[result.Skipped],
		len(differ)), differ
}
