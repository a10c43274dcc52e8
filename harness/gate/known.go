package gate

import (
	"slices"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/steps"
)

// known is the entry of a baseline that accepts a scenario's failure on a topology; nil for none.
func (p Policy) known(e *Evidence, topology string, s result.Scenario) *lint.Known {
	if p.subject(s.ID) != result.SubjectChart {
		return nil
	}
	for _, b := range e.Baselines {
		if k := b.Doc.Failure(topology, s); k != nil {
			return k
		}
	}
	return nil
}

// admitsKnown refuses failures accepted of another chart, or of OpenBao and not of the chart.
func (p Policy) admitsKnown(e *Evidence, chart string) error {
	for _, b := range e.Baselines {
		if b.Doc.Chart != chart && len(b.Doc.Scenarios) > 0 {
			return exit.Invalidf("baseline of chart "+b.Doc.Chart, "use the one that was made for this chart",
				"the chart that is judged is %q", chart)
		}
		for _, k := range b.Doc.Scenarios {
			if subject := p.subject(k.ID); subject != result.SubjectChart {
				return exit.Invalidf("baseline "+b.Path+", "+k.String(), "take the entry out",
					"only failures about the chart can be accepted, and it is about %s", subject)
			}
		}
	}
	return nil
}

// accept lists a scenario's failure among what somebody took, once for all rounds and runs.
func (d *Decision) accept(topology string, s result.Scenario, k *lint.Known) {
	if slices.ContainsFunc(d.Accepted, func(a Accepted) bool { return a.Scenario == s.ID && a.Topology == topology }) {
		return
	}
	d.Accepted = append(d.Accepted, Accepted{
		Scenario: s.ID, Topology: topology, Message: steps.Shorten(s.Reason),
		Reason: k.Reason, Owner: k.Owner, Expires: k.Expires,
	})
}

// tolerated puts passes in the place of accepted failures: somebody looked at them, so that they
// do not count as left out.
func (p Policy) tolerated(e *Evidence, topology string, all []result.Scenario) []result.Scenario {
	all = slices.Clone(all)
	for i, s := range all {
		if p.known(e, topology, s) != nil {
			all[i].Status, all[i].Reason = result.Passed, ""
		}
	}
	return all
}

// stale says which accepted failures no run has any more, although the scenario passed, and which
// scenarios no run has.
func (e *Evidence) stale() []string {
	var out []string
	for _, b := range e.Baselines {
		for _, k := range b.Doc.Scenarios {
			status := map[result.Status]bool{}
			for _, r := range e.Runs {
				for _, t := range r.Doc.Topologies {
					for _, s := range t.Scenarios {
						status[s.Status] = status[s.Status] || k.On(t.Name, s)
					}
				}
			}
			switch tried := status[result.Passed] || status[result.Failed] || status[result.Skipped]; {
			case !tried && len(e.Runs) > 0:
				out = append(out, "the baseline names what no run has: "+k.String())
			case status[result.Passed] && !status[result.Failed]:
				out = append(out, "the baseline accepts what is not there any more: "+k.String())
			}
		}
	}
	return out
}
