package report

import (
	"fmt"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
)

// behindView is what stands behind a comparison's ratios: what was driven and did not count, what
// went wrong, and what was not measured.
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
			render.Plural(len(c.Pairs), "pair"), len(c.Pairs)-discarded, discarded),
		Discarded: reasons, NotMeasured: c.NotMeasured,
	}
	if n := len(c.Interims); n > 0 {
		v.Driven += fmt.Sprintf(" Judged at interim analysis %d, each bound at a one-sided level of %.4f.", n,
			c.Interims[n-1].Level)
	}
	for _, o := range c.Outcomes {
		v.Outcomes = append(v.Outcomes, outcomeView{Outcome: o, Badge: string(o.Verdict), Holm: fmt.Sprintf("%.4f", o.PHolm)})
	}
	v.Scenarios, v.Differ = bothScenarios(c)
	return v
}
