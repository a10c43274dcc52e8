// Package readiness judges the evidence of finished work: may a chart be released? The evidence is static checks, the
// functional suite and the load in each topology, a comparison with the last release, and mutants. It measures nothing and
// believes no verdict that it can derive again.
package readiness

import (
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/decision"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/result"
)

// Policy is what a release has to show.
type Policy struct {
	SLO        *gate.SLO
	Validity   gate.Validity
	Topologies []string // each needs the suite and the load
	Tier       string   // empty: the one that all loads have, or without any the first comparison
	Scenarios  string   // the pattern that chose the suite, to be told
	Suite      []string // IDs of the scenarios that must have run, or been skipped for a reason, in each topology
	Required   []string // of Criteria; a PASS needs them all to pass
	Margin     float64  // largest that a comparison may have, 0.1 is 10 %; 0: DefaultMargin
	Alpha      float64  // largest error rate that a comparison may have; 0: DefaultAlpha
}

// DefaultRequired are the criteria that every release has to meet. A comparison needs a last release, and mutants say more about the
// suite than about the chart; both fail a release where they are given and fail.
func DefaultRequired() []string {
	return []string{decision.Charts, decision.Defects, decision.Complete, decision.Functional, decision.Load, decision.Hygiene}
}

// Decide judges the evidence. The first rule that applies decides:
//
//  1. a criterion is missed, required or not: FAIL
//  2. a required criterion could not be judged, or nothing was given for it: INCONCLUSIVE
//  3. otherwise PASS
//
// Evidence about different charts, loads of different tiers where the policy names none, and comparisons that the policy does not admit make no
// decision: an error of code exit.Invalid.
func Decide(e *Evidence, p Policy) (*decision.Decision, error) {
	d := &decision.Decision{APIVersion: decision.APIVersion, Kind: decision.Kind, SLO: p.SLO.Name, Evidence: e.Files, Runs: []decision.Judged{}}
	var err error
	if d.Chart, err = e.Chart(); err != nil {
		return nil, err
	}
	if p.Tier == "" {
		if p.Tier, err = e.tier(); err != nil {
			return nil, err
		}
	}
	if err = p.Admits(e); err != nil {
		return nil, err
	}
	d.Tier, d.Topologies, d.Scenarios, d.Compared = p.Tier, p.Topologies, p.Scenarios, p.compared(e)
	for _, r := range e.Runs {
		d.Runs = append(d.Runs, p.judge(r)...)
	}
	for _, c := range []struct {
		id, title string
		judge     func(*decision.Decision, *Evidence) (string, finding)
	}{
		{decision.Charts, "static checks of the chart", p.charts},
		{decision.Defects, "known defects of OpenBao charts", p.defects},
		{decision.Complete, "runs reached their end", p.complete},
		{decision.Functional, "functional suite in every topology", p.functional},
		{decision.Load, "objectives under load in every topology", p.load},
		{decision.Hygiene, "no secret where none should be", p.hygiene},
		{decision.Comparison, "comparison with the last release", p.comparison},
		{decision.Mutants, "the suite can fail", p.mutants},
	} {
		measured, f := c.judge(d, e)
		d.Criteria = append(d.Criteria, decision.Criterion{
			ID: c.id, Title: c.title, Required: slices.Contains(p.Required, c.id), Verdict: f.verdict(), Measured: measured, Reasons: append(f.missed, f.unsure...),
		})
	}
	conclude(d)
	d.NotJudged = append(d.NotJudged, p.unjudged(e)...)
	return d, nil
}

// finding collects why a criterion is not met, or may not be.
type finding struct{ missed, unsure []string }

func (f *finding) miss(format string, args ...any) {
	f.missed = append(f.missed, fmt.Sprintf(format, args...))
}

func (f *finding) doubt(format string, args ...any) {
	f.unsure = append(f.unsure, fmt.Sprintf(format, args...))
}

func (f *finding) verdict() result.Verdict {
	switch {
	case len(f.missed) > 0:
		return result.Fail
	case len(f.unsure) > 0:
		return result.Inconclusive
	}
	return result.Pass
}

// conclude derives the verdict from the criteria.
func conclude(d *decision.Decision) {
	var fails, unsure, good []string
	for _, c := range d.Criteria {
		switch {
		case c.Verdict == result.Fail:
			for _, why := range c.Reasons {
				fails = append(fails, c.Title+": "+why)
			}
		case c.Verdict == result.Pass:
			good = append(good, c.Title+": "+c.Measured)
		case c.Required:
			for _, why := range c.Reasons {
				unsure = append(unsure, c.Title+": "+why)
			}
		default:
			d.NotJudged = append(d.NotJudged, c.Title+": "+strings.Join(c.Reasons, "; "))
		}
	}
	for _, j := range d.Runs {
		if !j.Counts {
			d.NotJudged = append(d.NotJudged, fmt.Sprintf("the load of run %s on %s: %s", j.Run, j.Topology, j.Apart))
		}
	}
	switch {
	case len(fails) > 0:
		d.Verdict, d.Reasons = result.Fail, append(fails, unsure...)
	case len(unsure) > 0:
		d.Verdict, d.Reasons = result.Inconclusive, unsure
	default:
		d.Verdict, d.Reasons = result.Pass, good
	}
}

// Chart is the one that all evidence is about. Runs against a whole GitLab installed none. Evidence of two charts is an error of code exit.Invalid.
func (e *Evidence) Chart() (result.Chart, error) {
	var chart result.Chart
	from := ""
	same := func(path string, c result.Chart) error {
		switch {
		case c.Name == "" && c.Digest == "":
		case from == "":
			chart, from = c, path
		case c.Name != chart.Name || c.Version != chart.Version || c.Digest != chart.Digest:
			return exit.Invalidf("--from "+path, "judge the evidence of one chart at a time", "it is about %s (%s), and %s about %s (%s)",
				name(c), c.Digest, from, name(chart), chart.Digest)
		}
		return nil
	}
	for _, r := range e.Runs {
		for _, t := range r.Doc.Topologies {
			if err := same(r.Path, t.Chart); err != nil {
				return chart, err
			}
		}
	}
	for _, c := range e.Checks {
		if err := same(c.Path, c.Doc.Chart); err != nil {
			return chart, err
		}
	}
	for _, c := range e.Comparisons {
		if err := same(c.Path, *c.Doc.doc.B.Chart); err != nil {
			return chart, err
		}
	}
	return chart, nil
}

// tier is the one of all loads, without any that of the first comparison, and empty where there is neither.
func (e *Evidence) tier() (string, error) {
	tier, from := "", ""
	for _, r := range e.Runs {
		loaded := slices.ContainsFunc(r.Doc.Topologies, func(t result.Topology) bool { return t.Load != nil })
		switch {
		case !loaded:
		case from == "":
			tier, from = r.Doc.Run.Tier, r.Path
		case tier != r.Doc.Run.Tier:
			return "", exit.Invalidf("--from "+r.Path, "say which tier the release is for, with --tier", "its load is of tier %s, that of %s of tier %s: they do not add up",
				r.Doc.Run.Tier, from, tier)
		}
	}
	if from == "" && len(e.Comparisons) > 0 {
		tier = e.Comparisons[0].Doc.doc.Design.Tier
	}
	return tier, nil
}
