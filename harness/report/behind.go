package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/result"
)

// behindView is what stands behind a comparison's ratios: what was driven and did not count, what went wrong, and what nobody looked at.
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
	reasons, discarded := compare.Discarded(c.Pairs), 0
	for _, n := range reasons {
		discarded += n
	}
	v := &behindView{
		Driven: fmt.Sprintf("%s driven, %d valid and %d discarded. A is the base, B the head.",
			plural(len(c.Pairs), "pair"), len(c.Pairs)-discarded, discarded),
		Scenarios: "No scenario was run on both.", NotMeasured: c.NotMeasured,
	}
	if n := len(c.Looks); n > 0 {
		v.Driven += fmt.Sprintf(" Judged at look %d, each bound at a one-sided level of %.4f.", n, c.Looks[n-1].Level)
	}
	for _, why := range slices.SortedFunc(maps.Keys(reasons), func(a, b string) int { return cmp.Or(reasons[b]-reasons[a], strings.Compare(a, b)) }) {
		v.Discarded = append(v.Discarded, fmt.Sprintf("%d × %s", reasons[why], why))
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
