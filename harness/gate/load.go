package gate

import (
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
)

// load asks for one valid measurement that holds the objectives at the tier, in each topology.
//
//   - What a measurement proves against the chart, no other one removes: FAIL.
//   - A doubt about the chart stands beside any number of measurements without it, counted:
//     INCONCLUSIVE. Counting does not make it a FAIL: the runs of a decision share their machines,
//     so that an unnoticed cause in the machine would be in all of them, and no number of them
//     bounds the error.
//   - A measurement that the machine made invalid says nothing and harms nothing; it is reported.
func (p Policy) load(d *Decision, _ *Evidence) (string, finding) {
	var f finding
	p.loadsApart(d, &f)
	measured := make([]string, 0, len(p.Topologies))
	for _, topology := range p.Topologies {
		measured = append(measured, p.loadsOf(topology, d, &f))
	}
	return strings.Join(measured, "; "), f
}

// loadsApart judges the loads that do not count. No load is too small or in the wrong place for a
// wrong value, and one that is easier than the standard misses what it misses.
func (p Policy) loadsApart(d *Decision, f *finding) {
	for _, j := range d.Runs {
		asked := slices.Contains(p.Topologies, j.Topology)
		if j.Counts && asked {
			continue
		}
		for _, c := range j.Checks {
			proven := c.Verdict == result.Fail && !c.Informational
			if proven && (c.ID == judge.IDWrongValues || asked && (j.Easier || j.Lighter && c.Owner == result.OwnerSubject)) {
				f.miss("%s, run %s: %s: %s", j.Topology, j.Run, c.Title, c.Reason)
			}
		}
	}
}

// loadsOf judges the loads of a topology that count, and says how many held.
func (p Policy) loadsOf(topology string, d *Decision, f *finding) string {
	held, runs := 0, 0
	var open, apart []string
	var doubts []Doubt
	for _, j := range d.Runs {
		if j.Topology != topology || len(j.Checks) == 0 {
			continue
		}
		if !j.Counts {
			apart = append(apart, fmt.Sprintf("; run %s does not: %s", j.Run, j.Apart))
			continue
		}
		runs++
		m := sortOut(j.Checks)
		for _, why := range m.missed {
			f.miss("%s, run %s: %s", topology, j.Run, why)
		}
		for _, why := range append(m.invalid, m.open...) {
			open = append(open, fmt.Sprintf("%s, run %s: %s", topology, j.Run, why))
		}
		if len(m.invalid) > 0 {
			d.NotJudged = append(d.NotJudged, fmt.Sprintf("the load of run %s on %s: its machine made it invalid: %s", j.Run,
				topology, strings.Join(m.invalid, "; ")))
		}
		for _, c := range m.doubts {
			doubts = tallied(doubts, topology, j.Run, c)
		}
		if len(m.missed)+len(m.invalid)+len(m.open)+len(m.doubts) == 0 {
			held++
		}
	}
	for _, one := range doubts {
		one.Of = runs
		d.Doubts = append(d.Doubts, one)
		f.doubt("%s: %d of %s: %s: %s", topology, one.Runs, count(runs, "run"), one.Title, one.Reasons[0])
	}
	switch {
	case runs == 0:
		f.doubt("%s: no load of tier %q was given that counts%s", topology, p.Tier, strings.Join(apart, ""))
	case held == 0:
		f.unsure = append(f.unsure, open...)
	}
	return fmt.Sprintf("%s: %d of %d measurements at tier %s valid and within", topology, held, runs, p.Tier)
}

// tallied adds a run's doubt to those of other runs about the same condition.
func tallied(doubts []Doubt, topology, run string, c result.Check) []Doubt {
	i := slices.IndexFunc(doubts, func(d Doubt) bool { return d.Check == c.ID })
	if i < 0 {
		i = len(doubts)
		doubts = append(doubts, Doubt{Topology: topology, Check: c.ID, Title: c.Title})
	}
	doubts[i].Runs++
	doubts[i].Reasons = append(doubts[i].Reasons, "run "+run+": "+c.Reason)
	return doubts
}

// measurement is what the checks of one load come to.
type measurement struct {
	missed  []string       // proven against the chart
	invalid []string       // the machine's, so that the load says nothing
	open    []string       // objectives that this load could not judge, and another one may
	doubts  []result.Check // about the chart
}

func sortOut(checks []result.Check) measurement {
	var m measurement
	for _, c := range checks {
		why := c.Title + ": " + c.Reason
		switch {
		case c.Informational || c.Verdict == result.Pass:
		case c.Verdict == result.Fail:
			m.missed = append(m.missed, why)
		case c.Owner == result.OwnerMachine:
			m.invalid = append(m.invalid, why)
		case c.Owner == result.OwnerSubject:
			m.doubts = append(m.doubts, c)
		default:
			m.open = append(m.open, why)
		}
	}
	return m
}
