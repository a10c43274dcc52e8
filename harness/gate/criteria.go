package gate

import (
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/result"
)

// charts asks for a check without errors. What a baseline accepts is listed in the decision and
// fails nothing.
func (p Policy) charts(d *Decision, e *Evidence) (string, finding) {
	var f finding
	var measured []string
	for _, c := range e.Checks {
		r := c.Doc
		measured = append(measured, fmt.Sprintf("%s, %s: %s, %s", count(len(r.Rules), "rule"), count(len(r.Cases), "render"),
			count(r.Counts.Errors, "error"), count(r.Counts.Warnings, "warning"))+acceptedText(r.Counts.Accepted))
		for _, entry := range r.Stale {
			d.NotJudged = append(d.NotJudged, "the baseline accepts what is not there any more: "+entry)
		}
		for _, x := range r.Findings {
			if a := x.Accepted; a != nil {
				d.Accepted = append(d.Accepted, Accepted{
					Rule: x.Rule, Severity: string(x.Severity), File: x.File, Object: x.Object, Path: x.Path, Message: x.Message,
					Reason: a.Reason, Owner: a.Owner, Expires: a.Expires,
				})
				continue
			}
			if x.Severity == lint.Error || r.Strict && x.Severity == lint.Warning {
				f.miss("%s: %s", x.Rule, x.Message)
			}
		}
		for _, o := range r.Rules {
			if o.State == lint.Skipped {
				f.doubt("rule %s was skipped: %s", o.ID, o.Reason)
			}
		}
	}
	if len(e.Checks) == 0 {
		f.doubt("no report of charts check was given")
	}
	return strings.Join(measured, "; "), f
}

// defects looks at the rules that each stand for a defect that a released chart had. As in the
// check itself, what only warns fails only where warnings do.
func (p Policy) defects(_ *Decision, e *Evidence) (string, finding) {
	var f finding
	known := lint.KnownDefects()
	absent, present, taken := 0, 0, 0
	for _, c := range e.Checks {
		state := map[string]lint.State{}
		for _, o := range c.Doc.Rules {
			state[o.ID] = o.State
		}
		for _, id := range known {
			switch state[id] {
			case lint.Clean, lint.Foreign:
				absent++
			case lint.Found:
				if !slices.ContainsFunc(c.Doc.Findings, func(x lint.Finding) bool {
					return x.Rule == id && x.Accepted == nil && x.Severity != lint.Info
				}) {
					taken++
					continue
				}
				present++
				if grave := slices.ContainsFunc(c.Doc.Findings, func(x lint.Finding) bool {
					return x.Rule == id && x.Accepted == nil && (x.Severity == lint.Error || c.Doc.Strict)
				}); grave {
					f.miss("the chart has the one that %s looks for", id)
				}
			default:
				f.doubt("no check looked for %s", id)
			}
		}
	}
	if len(e.Checks) == 0 {
		f.doubt("no report of charts check was given")
		return "", f
	}
	return fmt.Sprintf("%d absent, %d present", absent, present) + acceptedText(taken), f
}

// acceptedText is how many findings a baseline accepts, as the end of a list; empty for none.
func acceptedText(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d accepted", n)
}

func (p Policy) complete(_ *Decision, e *Evidence) (string, finding) {
	var f finding
	for _, r := range e.Runs {
		if r.Doc.Run.Partial {
			f.doubt("run %s did not reach its end", r.Doc.Run.ID)
		}
		for _, s := range r.Doc.Steps {
			if s.Error != "" {
				f.doubt("run %s, step %q failed: %s", r.Doc.Run.ID, s.Name, s.Error)
			}
		}
	}
	if len(e.Runs) == 0 {
		f.doubt("no run was given")
	}
	return count(len(e.Runs), "run"), f
}

func (p Policy) comparison(d *Decision, e *Evidence) (string, finding) {
	var f finding
	var measured []string
	for _, c := range e.Comparisons {
		r := p.rejudge(c.Doc, e.quarantine())
		says := fmt.Sprintf("against %s: %s", describe(r.A), r.Verdict)
		for _, note := range slices.Concat(r.Notes, []string{r.differs}) {
			if note != "" {
				says += " (" + note + ")"
			}
		}
		measured = append(measured, says)
		for _, why := range r.quarantined {
			d.NotJudged = append(d.NotJudged, "the comparison with "+describe(r.A)+": "+why)
		}
		switch r.Verdict {
		case result.Fail:
			f.missed = append(f.missed, r.Reasons...)
		case result.Inconclusive:
			f.unsure = append(f.unsure, r.Reasons...)
		case result.Pass:
		}
		if r.edited || r.differs != "" && r.Verdict != result.Pass {
			f.doubt("%s: %s", c.Path, r.differs)
		}
	}
	if len(e.Comparisons) == 0 {
		why := "no comparison was given"
		if p.Uncompared != "" {
			why = "there is no comparison: " + p.Uncompared
		}
		f.doubt("%s", why)
	}
	return strings.Join(measured, "; "), f
}

func (p Policy) mutants(_ *Decision, e *Evidence) (string, finding) {
	var f finding
	var measured []string
	for _, m := range e.Mutants {
		summary := mutation.Summary(m.Doc.Outcomes)
		if m.Doc.Sample != nil {
			summary += " (" + m.Doc.Sample.String() + ")"
		}
		measured = append(measured, summary)
		for _, o := range m.Doc.Outcomes {
			switch o.Status {
			case mutation.Survived:
				f.miss("no scenario detected %s: %s", o.Mutant.ID, o.Mutant.Breaks)
			case mutation.Broken:
				f.doubt("%s could not be tried: %s", o.Mutant.ID, o.Reason)
			case mutation.Killed, mutation.Explained, mutation.Skipped:
			}
		}
	}
	if len(e.Mutants) == 0 {
		f.doubt("no record of mutants was given")
	}
	return strings.Join(measured, "; "), f
}

// count prints a number with its noun.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
