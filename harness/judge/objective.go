package judge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/result"
)

// judgeLoad returns the checks of a topology with load: objectives, then validity.
// The allowance for the environment is the SLO file's and the run's together.
func (p Policy) judgeLoad(t *result.Topology, run result.Run) []result.Check {
	tier := run.Tier
	entry := p.SLO.Find(subject(t, tier))
	var limits []Limit
	if entry >= 0 {
		limits = p.SLO.Entries[entry].Limits
	}
	v := p.Validity
	for _, l := range limits {
		if l.Metric == achievedRatio {
			v.MinAchieved = l.Limit
		}
	}
	validity := v.conditions(t, run)
	under := judging{
		allowance: run.EnvironmentLatency + p.SLO.EnvironmentLatencyOf(entry), excuse: distortion(validity),
		byEstimate: p.ByEstimate, whole: p.WholeEntry,
	}

	out := []result.Check{judgeValues(t.Load)}
	if t.Load.Extra["k6_thresholds_failed"] > 0 {
		out = append(out, slo("slo/k6-thresholds", "thresholds of the k6 script", "crossed", "held", result.Fail,
			"k6 reported a crossed threshold"))
	}
	if !slices.ContainsFunc(limits, func(l Limit) bool { return l.Metric == errorRate }) {
		limits = append([]Limit{{Metric: errorRate, Source: "default: no fetch may fail"}}, limits...)
	}
	judged := 0
	for _, l := range limits {
		if l.Metric == achievedRatio || l.Metric == wrongValues {
			continue // judged by name
		}
		c, isLatency := l.judge(t, under)
		out = append(out, c)
		if isLatency && !c.Informational {
			judged++
		}
	}
	if judged == 0 {
		out = append(out, slo("slo/latency", "a latency objective", "none judged", "at least one", result.Inconclusive,
			unjudged(out, t, tier)))
	}
	return append(out, validity...)
}

// metricOf is the metric of an objective's check.
func metricOf(c result.Check) string {
	return strings.ReplaceAll(strings.TrimPrefix(c.ID, "slo/"), "-", "_")
}

// unjudged says why no latency objective could be judged.
func unjudged(checks []result.Check, t *result.Topology, tier string) string {
	for _, c := range checks {
		if c.Informational && c.Reason != "" {
			return "none could be judged: " + c.Reason
		}
	}
	return fmt.Sprintf("the SLO file has none for chart %s, OpenBao %s, topology %s, tier %q",
		cmp.Or(t.Chart.Version, "of unknown version"), cmp.Or(t.Versions["openbao"], "of unknown version"), t.Name, tier)
}

// judging are what a limit is judged under.
type judging struct {
	allowance  float64 // ms that the way between client and OpenBao costs
	excuse     string  // why latencies came out longer than the chart's; empty if nothing says so
	byEstimate bool    // see Policy
	whole      bool    // see Policy
}

// judge compares one metric with its limit; isLatency says that it is about latency, of which a
// miss is not the chart's where there is an excuse.
func (l Limit) judge(t *result.Topology, o judging) (c result.Check, isLatency bool) {
	m := read(l.Metric, t)
	c = slo("slo/"+strings.ReplaceAll(l.Metric, "_", "-"), m.title, "unknown", "", result.Pass, "")
	c.Source, c.Informational = l.Source, l.Informational
	if m.latency && o.allowance > 0 {
		c.Limit = fmt.Sprintf(" (%s + %s for the environment)", num(l.Limit), num(o.allowance))
		l.Limit += o.allowance
	}
	limit := l.Limit // in the unit that is shown
	if m.unit == "%" {
		limit *= 100
	}
	c.Limit = "<= " + num(limit) + " " + m.unit + c.Limit
	if m.missing != "" {
		c.Verdict, c.Reason = result.Inconclusive, m.missing
		return c, m.latency
	}
	c.Measured, c.Headroom = num(m.value)+" "+m.unit, headroom(m.value, limit)
	verdict, why := l.decide(t.Load, m, limit, &c, o.byEstimate)
	switch {
	case verdict == result.Pass:
	case verdict == result.Inconclusive:
		c.Verdict, c.Reason = verdict, why
		if b := c.Bounds; b != nil && b.Measured > b.Allowed { // no other run makes it held
			if c.Owner = result.OwnerSubject; m.latency && o.excuse != "" {
				c.Owner, c.Reason = result.OwnerMachine, why+", and "+o.excuse
			}
		}
		if !o.whole && slices.Contains(t.Load.NotJudged, l.Metric) {
			c.Informational, c.Reason = true, "profile "+t.Load.Profile+" does not judge it: "+why
		}
	case m.latency && o.excuse != "":
		c.Verdict, c.Owner = result.Inconclusive, result.OwnerMachine
		c.Reason = fmt.Sprintf("%s against a limit of %s %s%s, but %s", c.Measured, num(limit), m.unit, why, o.excuse)
	default:
		c.Verdict, c.Reason = result.Fail, fmt.Sprintf("%s, limit %s %s%s", c.Measured, num(limit), m.unit, why)
	}
	return c, m.latency
}

// decide says whether the limit is held, which is in the unit of the check; why begins with a
// semicolon where it is missed.
func (l Limit) decide(d *result.Load, m reading, limit float64, c *result.Check, byEstimate bool) (v result.Verdict,
	why string,
) {
	b, unknown := bounds(l.Metric, d, l.Limit)
	switch {
	case byEstimate && m.thin != "":
		c.Informational = true
		return result.Inconclusive, m.thin
	case !byEstimate && unknown != "":
		return result.Inconclusive, unknown
	case byEstimate || b == nil:
		if m.value > limit {
			return result.Fail, ""
		}
		return result.Pass, ""
	}
	c.Bounds = b
	switch {
	case b.Lower > b.Allowed:
		return result.Fail, "; " + describe(b, m, limit)
	case b.Upper <= b.Allowed:
		return result.Pass, ""
	}
	return result.Inconclusive, describe(b, m, limit) + l.short(d)
}

// short says how long the load would have to be, where it is too short to hold the limit whatever
// it shows.
func (l Limit) short(d *result.Load) string {
	drive := Drive{Rate: cmp.Or(d.OfferedRate, d.AchievedRate), Seconds: d.MeasuredSeconds, Stages: d.Stages}
	for _, s := range (Entry{Limits: []Limit{l}}).Supports(drive) {
		if !s.Decidable && s.Needs > 0 {
			return fmt.Sprintf("; to hold it takes at least %s of this load", s.Needs)
		}
	}
	return ""
}

// describe says in words what was measured and what follows from it.
func describe(b *result.Bounds, m reading, limit float64) string {
	if b.Of == "mean" {
		return fmt.Sprintf("the mean of many such runs is %s to %s ms, and %s ms is allowed", num(b.Lower), num(b.Upper),
			num(b.Allowed))
	}
	what := "failed"
	if m.latency {
		what = fmt.Sprintf("were above %s ms or failed", num(limit))
	}
	return fmt.Sprintf("%s %s, which stands for %s to %s in many such runs, and %s is allowed", precise(b.Measured), what,
		precise(b.Lower), precise(b.Upper), precise(b.Allowed))
}

// judgeValues is always done, warm-up included: no load excuses handing out
// another secret than the one asked for.
func judgeValues(l *result.Load) result.Check {
	n := int64(0)
	for _, iv := range l.Series {
		n += iv.Wrong
	}
	n = max(n, l.Wrong)
	c := slo(IDWrongValues, "fetches that got a wrong value", fmt.Sprint(n), "0", result.Pass, "")
	if c.Source = "a wrong secret is never tolerable"; n > 0 {
		c.Verdict, c.Reason = result.Fail, fmt.Sprintf("%d fetches were answered with a wrong value", n)
	}
	return c
}

func slo(id, title, measured, limit string, v result.Verdict, reason string) result.Check {
	return result.Check{ID: id, Kind: "slo", Title: title, Measured: measured, Limit: limit, Verdict: v, Reason: reason}
}
