package judge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/result"
)

// Policy is what to judge by. SLO is required when Expect.Load is set.
type Policy struct {
	SLO      *SLO
	Validity Validity
	Expect   Expect
	// WholeEntry asks for every objective of the entry, also those that the profile says it does
	// not judge: what a release is decided on.
	WholeEntry bool
	// ByEstimate judges latencies by what was measured and not by bounds, for a search that asks
	// the same question many times and needs an answer each time. No release is decided so.
	ByEstimate bool
	// Accepts says which failures of scenarios on a topology fail nothing; nil: none.
	Accepts func(topology string, s result.Scenario) bool
}

// Expect says what the run set out to do; what was expected and is missing
// makes a topology INCONCLUSIVE.
type Expect struct {
	Scenarios bool
	Load      bool
}

// Judge fills Checks, Verdict and Reasons of every topology and Verdict and
// Reasons of the run, replacing what was there. The rules, first match wins:
//
//  1. a failed scenario, a wrong value or a missed objective: FAIL
//  2. a missed validity condition, an objective that could not be judged,
//     nothing run of what was expected, a run that did not reach its end: INCONCLUSIVE
//  3. otherwise PASS
//
// Skipped scenarios, but for those that were not allowed, and informational checks change nothing.
// A latency limit missed while the generator was saturated or the machine busy with something else
// is INCONCLUSIVE, since that adds latency of its own; other validity misses only hide latency, so
// a limit missed under them is missed.
func Judge(r *result.Result, p Policy) {
	var run verdict
	for i := range r.Topologies {
		t := &r.Topologies[i]
		v := p.topology(t, r.Run)
		t.Verdict, t.Reasons = v.conclude()
		run.merge(t.Name+": ", v)
	}
	if len(r.Topologies) == 0 {
		run.inconclusive("no topology was installed")
	}
	if r.Run.Partial {
		run.inconclusive("the run did not reach its end")
	}
	for _, s := range r.Steps {
		if s.Error != "" {
			run.inconclusive(fmt.Sprintf("step %q failed: %s", s.Name, s.Error))
		}
	}
	r.Verdict, r.Reasons = run.conclude()
}

// verdict collects reasons on the way to a conclusion.
type verdict struct{ fails, unsure, good []string }

func (v *verdict) fail(s string)         { v.fails = append(v.fails, s) }
func (v *verdict) inconclusive(s string) { v.unsure = append(v.unsure, s) }
func (v *verdict) pass(s string)         { v.good = append(v.good, s) }

func (v *verdict) merge(prefix string, o verdict) {
	for _, pair := range []struct {
		to   *[]string
		from []string
	}{{&v.fails, o.fails}, {&v.unsure, o.unsure}, {&v.good, o.good}} {
		for _, s := range pair.from {
			*pair.to = append(*pair.to, prefix+s)
		}
	}
}

// conclude returns the verdict with its reasons, most important first.
func (v *verdict) conclude() (result.Verdict, []string) {
	return result.Conclude(v.fails, v.unsure, v.good)
}

func (p Policy) topology(t *result.Topology, run result.Run) verdict {
	var v verdict
	p.scenarios(&v, t)
	for _, s := range t.Scenarios {
		if s.Status == result.Skipped && strings.HasPrefix(s.Reason, result.NotAllowed) {
			v.inconclusive(s.ID + " was " + s.Reason)
		}
	}
	t.Checks = nil
	switch {
	case t.Load != nil:
		t.Checks = p.judgeLoad(t, run)
	case p.Expect.Load:
		v.inconclusive("no load was run")
	}
	for _, c := range t.Checks {
		switch {
		case c.Informational:
		case c.Verdict == result.Fail:
			v.fail(c.Title + ": " + c.Reason)
		case c.Verdict == result.Inconclusive:
			v.inconclusive(c.Title + ": " + c.Reason)
		}
	}
	if l := t.Load; l != nil {
		v.pass(fmt.Sprintf("%s fetches/s for %s s: %d fetches, %d failed, 0 wrong", num(l.AchievedRate),
			num(l.MeasuredSeconds), l.Fetches, l.Failed))
		if e := l.Excursion; e != nil {
			v.pass(fmt.Sprintf("excursion to %s fetches/s in the mean for %s s, not judged but for wrong values: %d fetches, "+
				"%d failed, %d arrivals dropped",
				num(e.Offered), num(e.Seconds), e.Fetches, e.Failed, e.Dropped))
		}
		for _, why := range NotJudged(t) {
			v.pass(why)
		}
		if c, ok := tightest(t.Checks); ok {
			v.pass(fmt.Sprintf("tightest objective: %s %s, limit %s (%s left)", c.Title, c.Measured, c.Limit,
				Percent(c.Headroom)))
		}
	}
	return v
}

// NotJudged says of a judged topology which objectives it leaves open because its profile says so.
func NotJudged(t *result.Topology) []string {
	var out []string
	for _, c := range t.Checks {
		if c.Kind == "slo" && c.Verdict == result.Inconclusive && c.Informational && slices.Contains(t.Load.NotJudged,
			metricOf(c)) {
			out = append(out, fmt.Sprintf("not judged: %s, limit %s: %s", c.Title, strings.TrimPrefix(c.Limit, "<= "), c.Reason))
		}
	}
	return out
}

// scenarios judges the scenario table.
func (p Policy) scenarios(v *verdict, t *result.Topology) {
	passed, failed, skipped := t.Count()
	var untried []string
	accepted := 0
	for _, s := range t.Scenarios {
		switch {
		case s.Status != result.Failed:
		case p.Accepts != nil && p.Accepts(t.Name, s):
			accepted++
		default:
			v.fail(fmt.Sprintf("scenario %s failed: %s", s.ID, cmp.Or(s.Reason, "no reason was given")))
		}
		if !s.Tried() {
			untried = append(untried, fmt.Sprintf("%s: %s", s.ID, cmp.Or(s.Reason, "no reason was given")))
		}
	}
	if len(untried) > 0 {
		v.inconclusive(fmt.Sprintf("%d scenarios were not tried to their end, the first %s", len(untried), untried[0]))
	}
	if passed+failed == 0 {
		if p.Expect.Scenarios {
			v.inconclusive(fmt.Sprintf("no scenario ran (%d skipped)", skipped))
		}
		return
	}
	s := fmt.Sprintf("scenarios: %d of %d passed", passed, passed+failed)
	for _, more := range []struct {
		n    int
		what string
	}{{accepted, "failures accepted"}, {skipped, "skipped"}} {
		if more.n > 0 {
			s += fmt.Sprintf(", %d %s", more.n, more.what)
		}
	}
	v.pass(s)
}

// tightest is the judged objective with the least headroom.
func tightest(checks []result.Check) (best result.Check, ok bool) {
	for _, c := range checks {
		if c.Kind != "slo" || c.Informational || c.Headroom == 0 {
			continue
		}
		if !ok || c.Headroom < best.Headroom {
			best, ok = c, true
		}
	}
	return best, ok
}
