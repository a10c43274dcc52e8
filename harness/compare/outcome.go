package compare

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/stats"
)

// disruption is the outcome that is tested only where there is one.
const disruption = "disruption"

// outcomes compares what either slice of a pair may show: failed fetches, an offered load that was
// not carried, and disruptions. They are judged on all pairs, because what makes a slice invalid
// as a measurement may be the very regression.
func outcomes(pairs []Pair) []Outcome {
	var out []Outcome
	for _, k := range []struct {
		name, title string
		bad         func(Slice) int64 // how much of it
	}{
		{"failed_fetches", "failed fetches", func(s Slice) int64 { return s.Failed }},
		{
			"overload", "slices in which the offered load was not carried",
			func(s Slice) int64 { return oneIf(s.Overload != "") },
		},
		{
			disruption, "slices with a restart, a change of leadership or a standstill of the database",
			func(s Slice) int64 {
				return oneIf(slices.ContainsFunc(s.Invalid, func(why string) bool { return slices.Contains(disruptions(), why) }))
			},
		},
	} {
		o := Outcome{Name: k.name, Title: k.title, Pairs: len(pairs), Verdict: result.Pass}
		var more []int64
		for _, p := range pairs {
			a, b := k.bad(p.A), k.bad(p.B)
			o.TotalA, o.TotalB, more = o.TotalA+a, o.TotalB+b, append(more, b-a)
			switch {
			case a > b:
				o.OnlyA++
			case b > a:
				o.OnlyB++
			case a > 0:
				o.Both++
			}
		}
		o.P = stats.SignFlipTest(more)
		out = append(out, o)
	}
	return out
}

// disruptions are the reasons, as slices give them, for which something other than the load moved
// an arm.
func disruptions() []string {
	return []string{"restart missed", "leadership missed", "database missed"} // conditions of package gate
}

func oneIf(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// tested reports whether the outcome is one of the hypotheses of Holm's correction. A disruption
// in no pair could not be rejected whatever its p-value had to be, so that it need not cost the
// others anything (Tarone, "A Modified Bonferroni Method for Discrete Data", Biometrics 46 (1990),
// 515-522). The other two always count, as they did in the campaigns whose error rates
// docs/method.md has.
func (o *Outcome) tested() bool { return o.Name != disruption || o.OnlyA+o.OnlyB > 0 }

// decide gives the verdict at a level: FAIL where B is proven to have more of it, INCONCLUSIVE
// where B has any.
func (o *Outcome) decide(level float64) {
	if o.TotalA+o.TotalB == 0 {
		return
	}
	o.Reason = fmt.Sprintf("%s: %d with B and %d with A; more with B in %d of %d pairs, more with A in %d", o.Title,
		o.TotalB, o.TotalA, o.OnlyB, o.Pairs, o.OnlyA)
	switch {
	case o.OnlyB > 0 && o.PHolm <= level:
		o.Verdict = result.Fail
	case o.TotalB == 0:
		o.Reason += ", which says nothing against B"
	case o.TotalA > 0:
		o.Verdict = result.Inconclusive
		o.Reason += ": a base that has them cannot be the base, and B has them as well"
	default:
		o.Verdict = result.Inconclusive
		o.Reason += ", which may be chance: too little to prove a regression, and too much for a PASS"
	}
}

// discarded says why a pair is no part of the metrics; empty when it is.
func (p Pair) discarded() string {
	for _, s := range []struct {
		arm string
		s   Slice
	}{{A, p.A}, {B, p.B}} {
		if s.s.Overload != "" {
			return s.arm + ": " + s.s.Overload
		}
		if s.s.Failed > 0 { // those that fail at once are the fastest, and cost the least
			return s.arm + ": failed fetches"
		}
		if s.s.Wrong > 0 {
			return s.arm + ": wrong values"
		}
		if len(s.s.Invalid) > 0 {
			return s.arm + ": " + s.s.Invalid[0]
		}
	}
	return ""
}

// Values are a metric's values in the valid pairs that give a ratio of it, in order.
func (c *Comparison) Values(metric string) (a, b []float64) {
	for _, p := range c.Pairs {
		if x, y, missing := p.ratio(metric, false); missing == "" && p.discarded() == "" {
			a, b = append(a, x), append(b, y)
		}
	}
	return a, b
}

// Discarded is how many pairs were discarded, and for which reasons and how often, the commonest
// first.
func Discarded(pairs []Pair) (n int, reasons []string) {
	count := map[string]int{}
	for _, p := range pairs {
		if why := p.discarded(); why != "" {
			n++
			count[why]++
		}
	}
	reasons = slices.SortedFunc(maps.Keys(count),
		func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
	for i, r := range reasons {
		reasons[i] = fmt.Sprintf("%d × %s", count[r], r)
	}
	return n, reasons
}

// discards prints the commonest reasons.
func discards(pairs []Pair) string {
	_, reasons := Discarded(pairs)
	return strings.Join(reasons[:min(3, len(reasons))], "; ")
}

// whyNone says why no metric has to pass.
func whyNone(metrics []Metric) string {
	for _, m := range metrics {
		if m.Gate && m.Quarantine != "" {
			return m.Title + " is in quarantine: " + m.Quarantine
		}
	}
	return "none was asked for"
}
