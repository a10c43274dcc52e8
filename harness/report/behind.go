package report

import (
	"fmt"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/result"
)

// behindView is what stands behind a comparison's ratios: what was driven and did not count, what
// went wrong, and what nobody looked at.
type behindView struct {
	Driven      string
	Discarded   []string // reasons, the commonest first
	Outcomes    []outcomeView
	Scenarios   string
	Differ      []compare.Functional // the scenarios that did not end alike
	NotMeasured []string
}

// outcomeView is an outcome as text.
type outcomeView struct {
	compare.Outcome
	Badge string
	Holm  string // the p-value after Holm's correction
}

func newBehind(c *compare.Comparison) *behindView {
	discarded, reasons := compare.Discarded(c.Pairs)
	v := &behindView{
		Driven: fmt.Sprintf("%s driven, %d valid and %d discarded. A is the base, B the head.",
			plural(len(c.Pairs), "pair"), len(c.Pairs)-discarded, discarded),
		Discarded: reasons, Scenarios: "No scenario was run on both.", NotMeasured: c.NotMeasured,
	}
	if n := len(c.Looks); n > 0 {
		v.Driven += fmt.Sprintf(" Judged at look %d, each bound at a one-sided level of %.4f.", n, c.Looks[n-1].Level)
	}
	for _, o := range c.Outcomes {
		v.Outcomes = append(v.Outcomes, outcomeView{Outcome: o, Badge: string(o.Verdict), Holm: fmt.Sprintf("%.4f", o.PHolm)})
	}
	same := map[result.Status]int{}
	for _, f := range c.Functional {
		if f.A == f.B {
			same[f.A]++
		} else {
			v.Differ = append(v.Differ, f)
		}
	}
	if n := len(c.Functional); n > 0 {
		v.Scenarios = fmt.Sprintf("%s: %d passed, %d failed and %d were skipped with both; %d differ.",
			plural(n, "scenario"), same[result.Passed], same[result.Failed], same[result.Skipped], len(v.Differ))
	}
	return v
}
