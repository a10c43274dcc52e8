// Package gate judges the evidence of finished work: may a chart be released? The evidence is
// static checks, the functional suite and the load in each topology, a comparison with the last
// release, and mutants. It measures nothing and believes no verdict that it can derive again.
package gate

import (
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
)

// Policy is what a release has to show.
type Policy struct {
	SLO        *judge.SLO
	Validity   judge.Validity
	Topologies []string // each needs the suite and the load
	Tier       string   // empty: the one that all loads have, or without any the first comparison
	Scenarios  string   // the pattern that chose the suite, to be told
	// Suite holds the IDs of the scenarios that must have run, or been skipped for a reason: those
	// about the chart in each topology, the others in one.
	Suite []string
	// Subjects are those of the suite's scenarios, by ID; one that is missing is about the chart.
	Subjects   map[string]result.Subject
	Required   []string // of Criteria; a PASS needs them all to pass
	Uncompared string   // why there is no comparison, to be told
	Asked      bool     // a comparison was to be made: without one that decided there is no PASS, as where one was given
	// Previous is the release that the chart is to be compared with; nil: nobody declared one.
	Previous *result.Chart
	Margin   float64 // largest that a comparison may have, 0.1 is 10 %; 0: DefaultMargin
	Alpha    float64 // largest error rate that a comparison may have; 0: DefaultAlpha
}

// DefaultRequired are the criteria that every release has to meet. A comparison needs a last
// release, and mutants say more about the suite than about the chart; both fail a release where
// they are given and fail. A comparison that was asked for or given holds a release up, too, where
// it could not tell.
func DefaultRequired() []string {
	return []string{Charts, Defects, Complete, Functional, Load, Hygiene}
}

// Decide judges the evidence. The first rule that applies decides:
//
//  1. a criterion is missed, required or not: FAIL
//  2. a required criterion could not be judged, or nothing was given for it: INCONCLUSIVE; a
//     comparison, faults or a track record that were asked for or given are required
//  3. otherwise PASS
//
// Evidence about different charts, loads of different tiers where the policy names none, and
// comparisons that the policy does not admit make no decision: an error of code exit.Invalid.
func Decide(e *Evidence, p Policy) (*Decision, error) {
	d := &Decision{
		APIVersion: APIVersion, Kind: Kind, SLO: p.SLO.Name, Evidence: e.Files, Runs: []Judged{},
		Objectives: &File{Path: p.SLO.Path, Kind: "SLO", SHA256: p.SLO.SHA256, About: p.SLO.Name},
	}
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
	if err = p.admitsKnown(e, d.Chart.Name); err != nil {
		return nil, err
	}
	d.Previous = p.Previous
	if p.Asked || len(e.Comparisons) > 0 {
		p.Required = append(slices.Clone(p.Required), Comparison)
	}
	if len(e.Histories) > 0 {
		p.Required = append(slices.Clone(p.Required), Faults)
	}
	if len(e.Records) > 0 {
		p.Required = append(slices.Clone(p.Required), Detection)
	}
	d.Tier, d.Topologies, d.Scenarios, d.Compared = p.Tier, p.Topologies, p.Scenarios, p.compared(e)
	for _, r := range e.Runs {
		d.Runs = append(d.Runs, p.judge(r, e)...)
	}
	for _, c := range []struct {
		id, title string
		judge     func(*Decision, *Evidence) (string, finding)
	}{
		{Charts, "static checks of the chart", p.charts},
		{Defects, "known defects of OpenBao charts", p.defects},
		{Complete, "runs reached their end", p.complete},
		{Functional, "functional suite in every topology", p.functional},
		{Load, "objectives under load in every topology", p.load},
		{Hygiene, "no secret where none should be", p.hygiene},
		{Comparison, "comparison with the last release", p.comparison},
		{Mutants, "the suite can fail", p.mutants},
		{Faults, "what was acknowledged holds under faults in every topology", p.faults},
		{Detection, "known bugs of this OpenBao are found again", p.detection},
	} {
		measured, f := c.judge(d, e)
		d.Criteria = append(d.Criteria, Criterion{
			ID: c.id, Title: c.title, Required: slices.Contains(p.Required, c.id), Verdict: f.verdict(), Measured: measured,
			Reasons: append(f.missed, f.unsure...),
		})
	}
	conclude(d)
	d.NotJudged = append(append(d.NotJudged, e.stale()...), p.unjudged(e)...)
	d.Since = since(e.Earlier, d)
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
	v, _ := result.Conclude(f.missed, f.unsure, nil)
	return v
}

// conclude derives the verdict from the criteria.
func conclude(d *Decision) {
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
	d.Verdict, d.Reasons = result.Conclude(fails, unsure, good)
}
