package gate

import (
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
	excuse := distortion(validity)
	allowance := run.EnvironmentLatency + p.SLO.EnvironmentLatencyOf(entry)

	out := []result.Check{judgeValues(t.Load)}
	if t.Load.Extra["k6_thresholds_failed"] > 0 {
		out = append(out, slo("slo/k6-thresholds", "thresholds of the k6 script", "crossed", "held", result.Fail, "k6 reported a crossed threshold"))
	}
	if !slices.ContainsFunc(limits, func(l Limit) bool { return l.Metric == errorRate }) {
		limits = append([]Limit{{Metric: errorRate, Source: "default: no fetch may fail"}}, limits...)
	}
	judged := 0
	for _, l := range limits {
		if l.Metric == achievedRatio || l.Metric == wrongValues {
			continue // judged by name
		}
		c, isLatency := l.judge(t, allowance, excuse)
		out = append(out, c)
		if isLatency && !c.Informational {
			judged++
		}
	}
	if judged == 0 {
		out = append(out, slo("slo/latency", "a latency objective", "none judged", "at least one", result.Inconclusive, unjudged(out, t, tier)))
	}
	return append(out, validity...)
}

// unjudged says why no latency objective could be judged.
func unjudged(checks []result.Check, t *result.Topology, tier string) string {
	for _, c := range checks {
		if c.Informational && c.Reason != "" {
			return "none could be judged: " + c.Reason
		}
	}
	return fmt.Sprintf("the SLO file has none for chart %s, OpenBao %s, topology %s, tier %q",
		orElse(t.Chart.Version, "of unknown version"), orElse(t.Versions["openbao"], "of unknown version"), t.Name, tier)
}

// judge compares one metric with its limit; isLatency says that it is about latency, of which a miss is not the chart's where there is an excuse.
func (l Limit) judge(t *result.Topology, allowance float64, excuse string) (c result.Check, isLatency bool) {
	m := read(l.Metric, t)
	limit := l.Limit
	if m.unit == "%" {
		limit *= 100
	}
	c = slo("slo/"+strings.ReplaceAll(l.Metric, "_", "-"), m.title, "unknown", "", result.Pass, "")
	c.Source, c.Informational = l.Source, l.Informational
	if m.latency && allowance > 0 {
		c.Limit = fmt.Sprintf(" (%s + %s for the environment)", num(limit), num(allowance))
		limit += allowance
	}
	c.Limit = "<= " + num(limit) + " " + m.unit + c.Limit
	if m.missing != "" {
		c.Verdict, c.Reason = result.Inconclusive, m.missing
		return c, m.latency
	}
	c.Measured, c.Headroom = num(m.value)+" "+m.unit, headroom(m.value, limit)
	switch {
	case m.thin != "":
		// A quantile without samples is unknown, not missed; a longer profile judges it.
		c.Verdict, c.Reason, c.Informational = result.Inconclusive, m.thin, true
	case m.value <= limit:
	case m.latency && excuse != "":
		c.Verdict, c.Owner = result.Inconclusive, result.OwnerMachine
		c.Reason = fmt.Sprintf("%s against a limit of %s %s, but %s", c.Measured, num(limit), m.unit, excuse)
	default:
		c.Verdict, c.Reason = result.Fail, fmt.Sprintf("%s, limit %s %s", c.Measured, num(limit), m.unit)
	}
	return c, m.latency
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
