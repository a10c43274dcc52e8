package report

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
)

// Colour reports whether a summary written to f should be coloured: f is a
// terminal, NO_COLOR is unset or empty (no-color.org) and TERM is not "dumb".
func Colour(f *os.File) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// Summary writes what a person at a terminal needs to know, in some twenty
// lines; colour adds ANSI colours to the verdicts.
func Summary(w io.Writer, r *result.Result, colour bool) error {
	p := newPage(r)
	paint := func(v string) string { return painted(v, colour) }
	var b strings.Builder
	fmt.Fprintf(&b, "\nSteamer: %s   run %s, profile %s, tier %s, %s\n", paint(p.Verdict), r.Run.ID, r.Run.Profile,
		r.Run.Tier, p.Took)
	label := 0
	for _, g := range p.Glance {
		label = max(label, len(g.Label))
	}
	for i := range p.Views {
		fmt.Fprintf(&b, "\n  %s\n", render.Plain(p.Views[i].Name))
		for _, g := range p.Glance {
			note := ""
			if g.Note != "" {
				note = "  (" + g.Note + ")"
			}
			fmt.Fprintf(&b, "    %-*s  %s%s\n", label, g.Label, paint(g.Cells[i]), note)
		}
	}
	for _, t := range r.Topologies {
		writeSlowest(&b, t)
	}
	if len(r.Reasons) > 0 {
		b.WriteString("\n  Why\n")
		for _, s := range r.Reasons {
			fmt.Fprintf(&b, "    - %s\n", render.Plain(s))
		}
	}
	fmt.Fprintf(&b, "\n  Repeat with: %s\n", render.Plain(r.Run.Reproduce))
	_, err := io.WriteString(w, b.String())
	return err
}

// painted colours a verdict; other words stay as they are.
func painted(v string, colour bool) string {
	code := map[string]string{"PASS": "1;32", "FAIL": "1;31", "INCONCLUSIVE": "1;33"}[v]
	if !colour || code == "" {
		return v
	}
	return "\x1b[" + code + "m" + v + "\x1b[0m"
}

// slowestOf is how many of the slowest scenarios are shown; none with fewer than thrice as many.
const slowestOf = 10

// writeSlowest names the scenarios that took longest.
func writeSlowest(b *strings.Builder, t result.Topology) {
	if len(t.Scenarios) < 3*slowestOf {
		return
	}
	sorted, total := slices.Clone(t.Scenarios), 0.0
	slices.SortStableFunc(sorted, func(x, y result.Scenario) int { return cmp.Compare(y.Seconds, x.Seconds) })
	for _, s := range sorted {
		total += s.Seconds
	}
	fmt.Fprintf(b, "\n  %s: the slowest of %d scenarios (%.0f s one after the other)\n", render.Plain(t.Name), len(sorted),
		total)
	for _, s := range sorted[:slowestOf] {
		fmt.Fprintf(b, "    %6.1f s  %s\n", s.Seconds, render.Plain(s.ID))
	}
}
