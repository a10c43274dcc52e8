package readiness

import (
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/decision"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
)

// judge derives the verdict of each topology of a run again. The run's own verdicts are kept beside.
func (p Policy) judge(r Of[*result.Result]) []decision.Judged {
	fresh := *r.Doc
	fresh.Topologies = slices.Clone(r.Doc.Topologies)
	gate.Judge(&fresh, gate.Policy{SLO: p.SLO, Validity: p.Validity, WholeEntry: true})
	var out []decision.Judged
	for i, t := range fresh.Topologies {
		j := decision.Judged{
			Run: fresh.Run.ID, Path: r.Path, Topology: t.Name, Tier: fresh.Run.Tier, Profile: fresh.Run.Profile,
			Recorded: r.Doc.Topologies[i].Verdict, Derived: t.Verdict, Reasons: t.Reasons, Checks: t.Checks, Apart: p.apart(fresh.Run.Tier, t.Load),
		}
		j.Counts = j.Apart == ""
		j.Passed, j.Failed, j.Skipped = t.Count()
		for _, s := range t.Scenarios {
			if s.Status == result.Failed {
				j.Failures = append(j.Failures, s)
			}
		}
		out = append(out, j)
	}
	return out
}

// apart says why a load says nothing of the tier: it is another's, it does something else than jobs do, or it is so small that it would be another's.
// "" where it counts.
func (p Policy) apart(tier string, l *result.Load) string {
	if l == nil {
		return ""
	}
	if tier != p.Tier {
		return "it is of tier " + tier
	}
	if l.Mode != load.Inline {
		return fmt.Sprintf("it is of mode %s, and jobs fetch in mode %s", l.Mode, load.Inline)
	}
	if t, err := load.TierNamed(tier); err == nil && l.JudgedRate() <= t.Above() {
		return fmt.Sprintf("it asked for %g fetches per second, and tier %s begins above %g", l.JudgedRate(), tier, t.Above())
	}
	return ""
}

// functional asks for the whole suite, over all runs, in each topology.
func (p Policy) functional(_ *decision.Decision, e *Evidence) (string, finding) {
	var f finding
	var measured []string
	for _, topology := range p.named(e) {
		seen, passed, failed, skipped := map[string]bool{}, 0, 0, 0
		for _, s := range scenariosOf(e, topology) {
			switch s.Status {
			case result.Failed:
				failed++
				f.miss("%s: %s: %s", topology, s.ID, oneLine(s.Reason))
			case result.Passed:
				passed++
			case result.Skipped:
				skipped++
			}
			seen[s.ID] = true
		}
		missing := slices.DeleteFunc(slices.Clone(p.Suite), func(id string) bool { return seen[id] })
		if !slices.Contains(p.Topologies, topology) { // more than was asked for, such as a run against a whole GitLab, where not all can run
			missing = nil
		}
		switch {
		case len(seen) == 0:
			f.doubt("%s: no scenario ran", topology)
		case len(missing) > 0:
			f.doubt("%s: %d scenarios of the suite were not tried, such as %s", topology, len(missing), missing[0])
		case passed == 0:
			f.doubt("%s: every scenario was skipped", topology)
		}
		measured = append(measured, fmt.Sprintf("%s: %d passed, %d failed, %d skipped", topology, passed, failed, skipped))
	}
	return strings.Join(measured, "; "), f
}

// named are the topologies to look at: the required ones, and those that runs have besides.
func (p Policy) named(e *Evidence) []string {
	names := slices.Clone(p.Topologies)
	for _, r := range e.Runs {
		for _, t := range r.Doc.Topologies {
			if !slices.Contains(names, t.Name) {
				names = append(names, t.Name)
			}
		}
	}
	return names
}

func scenariosOf(e *Evidence, topology string) []result.Scenario {
	var all []result.Scenario
	for _, r := range e.Runs {
		for _, t := range r.Doc.Topologies {
			if t.Name == topology {
				all = append(all, t.Scenarios...)
			}
		}
	}
	return all
}

// load asks for one valid measurement that holds the objectives at the tier, in each topology. An invalid one beside it does no harm; one that
// missed an objective does.
func (p Policy) load(d *decision.Decision, _ *Evidence) (string, finding) {
	var f finding
	var measured []string
	for _, j := range d.Runs { // no load is too small or in the wrong place for a wrong value; the others are judged below
		if j.Counts && slices.Contains(p.Topologies, j.Topology) {
			continue
		}
		for _, c := range j.Checks {
			if c.ID == gate.IDWrongValues && c.Verdict == result.Fail {
				f.miss("%s, run %s: %s: %s", j.Topology, j.Run, c.Title, c.Reason)
			}
		}
	}
	for _, topology := range p.Topologies {
		var doubts []string
		held, runs := 0, 0
		for _, j := range d.Runs {
			if j.Topology != topology || len(j.Checks) == 0 || !j.Counts {
				continue
			}
			runs++
			missed, unsure := problems(j.Checks)
			for _, why := range missed {
				f.miss("%s, run %s: %s", topology, j.Run, why)
			}
			for _, why := range unsure {
				doubts = append(doubts, fmt.Sprintf("%s, run %s: %s", topology, j.Run, why))
			}
			if len(missed)+len(unsure) == 0 {
				held++
			}
		}
		switch {
		case runs == 0:
			f.doubt("%s: no load of tier %q was given that counts", topology, p.Tier)
		case held == 0:
			f.unsure = append(f.unsure, doubts...)
		}
		measured = append(measured, fmt.Sprintf("%s: %d of %d measurements at tier %s valid and within", topology, held, runs, p.Tier))
	}
	return strings.Join(measured, "; "), f
}

// problems are what a measurement misses, and what it leaves open.
func problems(checks []result.Check) (missed, unsure []string) {
	for _, c := range checks {
		switch {
		case c.Informational:
		case c.Verdict == result.Fail:
			missed = append(missed, c.Title+": "+c.Reason)
		case c.Verdict == result.Inconclusive:
			unsure = append(unsure, c.Title+": "+c.Reason)
		}
	}
	return missed, unsure
}

func (p Policy) hygiene(_ *decision.Decision, e *Evidence) (string, finding) {
	var f finding
	passed := 0
	for _, topology := range p.Topologies {
		here := 0
		for _, s := range scenariosOf(e, topology) {
			if !strings.HasPrefix(s.ID, "hygiene/") {
				continue
			}
			switch s.Status {
			case result.Failed:
				f.miss("%s: %s: %s", topology, s.ID, oneLine(s.Reason))
			case result.Passed:
				here++
			case result.Skipped:
			}
		}
		if passed += here; here == 0 {
			f.doubt("%s: no scan for secrets passed", topology)
		}
	}
	return fmt.Sprintf("%d scans found none", passed), f
}
