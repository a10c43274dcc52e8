package gate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/steps"
)

// judge derives the verdict of each topology of a run again. The run's own verdicts are kept
// beside.
func (p Policy) judge(r Of[*result.Result], e *Evidence) []Judged {
	fresh := *r.Doc
	fresh.Topologies = slices.Clone(r.Doc.Topologies)
	judge.Judge(&fresh, judge.Policy{
		SLO: p.SLO, Validity: p.Validity, WholeEntry: true,
		Accepts: func(topology string, s result.Scenario) bool { return p.known(e, topology, s) != nil },
	})
	var out []Judged
	for i, t := range fresh.Topologies {
		j := Judged{
			Run: fresh.Run.ID, Path: r.Path, Topology: t.Name, Tier: fresh.Run.Tier, Profile: fresh.Run.Profile,
			Recorded: r.Doc.Topologies[i].Verdict, Derived: t.Verdict, Reasons: t.Reasons, Checks: t.Checks,
		}
		j.Apart, j.Easier = p.apart(fresh.Run, &t)
		j.Counts = j.Apart == ""
		j.Lighter = !j.Counts && fresh.Run.Tier == p.Tier && t.Load.Mode == load.Inline
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

// apart says why a load says nothing good of the tier, "" where it counts; and whether what it
// missed counts all the same, because the chart had it no harder than jobs make it.
func (p Policy) apart(run result.Run, t *result.Topology) (why string, easier bool) {
	if t.Load == nil {
		return "", false
	}
	differences := load.TierStandard().Differences(p.Tier, run, t)
	easier = true
	what := make([]string, len(differences))
	for i, d := range differences {
		what[i], easier = "it "+d.What, easier && d.Easier
	}
	return strings.Join(what, "; "), easier && len(differences) > 0
}

// functional asks for the suite, over all runs, in each topology. What is about the chart is
// counted apart: OpenBao and the recipes are the same everywhere, so that a run tries them once. A
// failure counts wherever it was, unless a baseline holds it.
func (p Policy) functional(d *Decision, e *Evidence) (string, finding) {
	var f finding
	var measured []string
	var everywhere []result.Scenario
	for _, topology := range p.named(e) {
		all, taken := scenariosOf(e, topology), 0
		everywhere = append(everywhere, all...)
		for _, s := range all {
			switch known := p.known(e, topology, s); {
			case s.Status != result.Failed:
			case known != nil:
				d.accept(topology, s, known)
				taken++
			default:
				f.miss("%s: %s: %s", topology, s.ID, steps.Shorten(s.Reason))
			}
		}
		measured = append(measured, counted(topology, p.about(all, result.SubjectChart))+acceptedText(taken))
		switch passed, _, _ := result.Count(all); {
		case !slices.ContainsFunc(all, result.Scenario.Tried):
			f.doubt("%s: no scenario ran", topology)
		case passed == 0:
			f.doubt("%s: every scenario was skipped", topology)
		case slices.Contains(p.Topologies, topology):
			p.enough(&f, topology, p.tolerated(e, topology, p.borrowed(e, all)))
		default: // more than was asked for, such as a run against a whole GitLab, where not all can run
		}
	}
	for _, subject := range []result.Subject{result.SubjectServer, result.SubjectGitLab} {
		if own := p.about(everywhere, subject); len(own) > 0 {
			measured = append(measured, counted("about "+string(subject), own))
		}
	}
	return strings.Join(measured, "; "), f
}

// borrowed puts passes of the topology that a record names in the place of what was skipped
// because it ran there. Only scenarios about the server are the same in each.
func (p Policy) borrowed(e *Evidence, all []result.Scenario) []result.Scenario {
	all = slices.Clone(all)
	for i, s := range all {
		where, elsewhere := strings.CutPrefix(s.Reason, result.Elsewhere)
		if s.Status != result.Skipped || !elsewhere || p.subject(s.ID) != result.SubjectServer {
			continue
		}
		if slices.ContainsFunc(scenariosOf(e, where), func(there result.Scenario) bool {
			return there.ID == s.ID && there.Status == result.Passed
		}) {
			all[i].Status, all[i].Reason = result.Passed, ""
		}
	}
	return all
}

// enough doubts outcomes of a topology that leave out too much of the suite.
func (p Policy) enough(f *finding, topology string, all []result.Scenario) {
	tried := map[string]bool{}
	for _, s := range all {
		tried[s.ID] = tried[s.ID] || s.Tried()
	}
	missing := slices.DeleteFunc(slices.Clone(p.Suite), func(id string) bool { return tried[id] })
	switch {
	case len(missing) > 0:
		f.doubt("%s: %d scenarios of the suite were not tried, such as %s", topology, len(missing), missing[0])
	default:
		for _, why := range p.below(all) {
			f.doubt("%s: %s", topology, why)
		}
	}
}

// about are the outcomes about a subject. What this release knows of a scenario counts, not what a
// record says.
func (p Policy) about(all []result.Scenario, subject result.Subject) []result.Scenario {
	return slices.DeleteFunc(slices.Clone(all), func(s result.Scenario) bool { return p.subject(s.ID) != subject })
}

func (p Policy) subject(id string) result.Subject { return cmp.Or(p.Subjects[id], result.SubjectChart) }

func counted(what string, all []result.Scenario) string {
	passed, failed, skipped := result.Count(all)
	return fmt.Sprintf("%s: %d passed, %d failed, %d skipped", what, passed, failed, skipped)
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

// hygiene asks for every scan of the suite, in each topology: a secret is wherever nobody looked.
func (p Policy) hygiene(_ *Decision, e *Evidence) (string, finding) {
	var f finding
	scans := slices.DeleteFunc(slices.Clone(p.Suite), func(id string) bool { return group(id) != hygieneGroup })
	passed := 0
	for _, topology := range p.Topologies {
		found, why := map[string]bool{}, map[string]string{}
		for _, s := range scenariosOf(e, topology) {
			if group(s.ID) != hygieneGroup {
				continue
			}
			switch s.Status {
			case result.Failed:
				f.miss("%s: %s: %s", topology, s.ID, steps.Shorten(s.Reason))
			case result.Passed:
				found[s.ID] = true
			case result.Skipped:
				why[s.ID] = ": it was skipped: " + steps.Shorten(s.Reason)
			}
		}
		passed += len(found)
		for _, id := range scans {
			if !found[id] {
				f.doubt("%s: the scan %s did not pass%s", topology, id, why[id])
			}
		}
		if len(scans) == 0 {
			f.doubt("%s: no scan for secrets was asked for", topology)
		}
	}
	return fmt.Sprintf("%d scans found none", passed), f
}
