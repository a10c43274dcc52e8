package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"gitlab.com/steamer/steamer/harness/lint"
)

// FindingsTable writes a check of a chart for people: findings by rule, what was rendered and
// covered, and the verdict; colour adds ANSI colours.
func FindingsTable(w io.Writer, r *lint.Report, colour bool) error {
	p := &printer{colour: colour}
	dialect := cmp.Or(r.Dialect, "none: topologies not rendered")
	p.line("Chart %s %s (%s), Kubernetes %s, dialect %s", r.Chart.Name, r.Chart.Version, r.Chart.Source,
		r.Kubernetes.Version, dialect)
	rendered := 0
	for _, c := range r.Cases {
		if c.Error == "" {
			rendered++
		}
	}
	p.line("Rendered %d cases, %d more did not render", rendered, len(r.Cases)-rendered)
	last := ""
	for _, f := range r.Findings {
		if group := string(f.Severity) + " " + f.Rule; group != last {
			last = group
			rule, _ := lint.RuleNamed(f.Rule)
			p.line("\n%s  %s: %s", p.paint(f.Severity, strings.ToUpper(string(f.Severity))), f.Rule, rule.Title)
		}
		p.finding(f)
	}
	ran := 0
	for _, outcome := range r.Rules {
		switch outcome.State {
		case lint.Skipped:
			p.line("\nskipped  %s: %s", outcome.ID, outcome.Reason)
		case lint.Clean, lint.Found:
			ran++
		}
	}
	c := r.Coverage
	p.line("\nValues: %d keys, %d have an effect, %d dead, %d not tried; %d set by a topology, ci file or --values",
		c.Keys, c.Alive, len(c.Dead), len(c.Untried), c.Exercised)
	if len(c.Unexercised) > 0 {
		p.line("  never set: %s", shortened(c.Unexercised, 8))
	}
	for _, entry := range r.Stale {
		p.line("\nThe baseline accepts what is no longer found: %s", entry)
	}
	verdict := "CLEAN"
	if !r.Passed {
		verdict = p.paint(lint.Error, "FINDINGS")
	}
	accepted := ""
	if n := r.Counts.Accepted; n > 0 {
		accepted = fmt.Sprintf(", %d accepted", n)
	}
	p.line("\n%s: %d errors, %d warnings, %d remarks%s; %d rules ran in %.1f s", verdict, r.Counts.Errors,
		r.Counts.Warnings, r.Counts.Infos, accepted, ran, r.Seconds)
	_, err := io.WriteString(w, p.String())
	return err
}

// printer collects lines.
type printer struct {
	strings.Builder
	colour bool
}

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *printer) paint(s lint.Severity, text string) string {
	if !p.colour {
		return text
	}
	code := map[lint.Severity]string{lint.Error: "31", lint.Warning: "33", lint.Info: "36"}[s]
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p *printer) finding(f lint.Finding) {
	place := f.File
	if f.Line > 0 {
		place += fmt.Sprintf(":%d", f.Line)
	}
	what := strings.Trim(f.Object+": "+f.Path, ": ")
	if place += "  " + what; strings.TrimSpace(place) != "" {
		p.line("  %s", strings.TrimSpace(place))
	}
	p.line("    %s", f.Message)
	if a := f.Accepted; a != nil {
		p.line("    accepted until %s by %s: %s", a.Expires, a.Owner, a.Reason)
	}
	if len(f.Cases) > 0 {
		p.line("    in: %s", shortened(f.Cases, 3))
	}
	if f.Severity != lint.Info && f.Hint != "" {
		p.line("    hint: %s", f.Hint)
	}
}

// shortened lists the first few of many.
func shortened(all []string, n int) string {
	if len(all) <= n {
		return strings.Join(all, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(all[:n], "; "), len(all)-n)
}
