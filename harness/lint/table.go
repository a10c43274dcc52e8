package lint

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

// Table writes a report for people: findings by rule, what was rendered and covered, and the
// verdict.
func Table(w io.Writer, r *Report, coloured bool) error {
	p := &printer{w: w, coloured: coloured}
	dialect := cmp.Or(r.Dialect, "none: topologies not rendered")
	p.line("Chart %s %s (%s), Kubernetes %s, dialect %s", r.Chart.Name, r.Chart.Version, r.Chart.Source,
		r.Kubernetes.Version, dialect)
	rendered, failed := 0, 0
	for _, c := range r.Cases {
		if c.Error == "" {
			rendered++
		} else {
			failed++
		}
	}
	p.line("Rendered %d cases, %d more did not render", rendered, failed)
	last := ""
	for _, f := range r.Findings {
		if group := string(f.Severity) + " " + f.Rule; group != last {
			last = group
			rule, _ := RuleNamed(f.Rule)
			p.line("\n%s  %s: %s", p.colour(f.Severity, strings.ToUpper(string(f.Severity))), f.Rule, rule.Title)
		}
		p.finding(f)
	}
	for _, outcome := range r.Rules {
		if outcome.State == Skipped {
			p.line("\nskipped  %s: %s", outcome.ID, outcome.Reason)
		}
	}
	c := r.Coverage
	p.line("\nValues: %d keys, %d have an effect, %d dead, %d not tried; %d set by a topology, ci file or --values",
		c.Keys, c.Alive,
		len(c.Dead), len(c.Untried), c.Exercised)
	if len(c.Unexercised) > 0 {
		p.line("  never set: %s", shortened(c.Unexercised, 8))
	}
	for _, entry := range r.Stale {
		p.line("\nThe baseline accepts what is not there any more: %s", entry)
	}
	verdict := "CLEAN"
	if !r.Passed {
		verdict = p.colour(Error, "FINDINGS")
	}
	ran := 0
	for _, outcome := range r.Rules {
		if outcome.State == Clean || outcome.State == Found {
			ran++
		}
	}
	accepted := ""
	if n := r.Counts.Accepted; n > 0 {
		accepted = fmt.Sprintf(", %d accepted", n)
	}
	p.line("\n%s: %d errors, %d warnings, %d remarks%s; %d rules ran in %.1f s", verdict, r.Counts.Errors,
		r.Counts.Warnings, r.Counts.Infos,
		accepted, ran, r.Seconds)
	return p.err
}

type printer struct {
	w        io.Writer
	coloured bool
	err      error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

var colours = map[Severity]string{Error: "31", Warning: "33", Info: "36"}

func (p *printer) colour(s Severity, text string) string {
	if !p.coloured {
		return text
	}
	return "\x1b[" + colours[s] + "m" + text + "\x1b[0m"
}

func (p *printer) finding(f Finding) {
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
	if f.Severity != Info && f.Hint != "" {
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
