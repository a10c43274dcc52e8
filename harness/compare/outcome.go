package compare

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"

	"gitlab.com/steamer/steamer/harness/result"
)

// outcomes compares what either slice of a pair may show: failed fetches, an offered load that was not carried, and disruptions. They are judged on all
// pairs, because what makes a slice invalid as a measurement may be the very regression. A disruption makes no FAIL, since it may come from the cluster
// around an arm, so that it costs the others nothing in Holm's correction.
func outcomes(pairs []Pair) []Outcome {
	kinds := []struct {
		name, title string
		asks        bool
		bad         func(Slice) float64 // how much of it; 0 is none
	}{
		{"failed_fetches", "failed fetches", false, func(s Slice) float64 { return float64(s.Failed) / float64(max(1, s.Fetches)) }},
		{"overload", "offered load not carried", false, func(s Slice) float64 { return oneIf(s.Overload != "") }},
		{"disruption", "restarts, changes of leadership, standstills of the database", true, func(s Slice) float64 {
			return oneIf(slices.ContainsFunc(s.Invalid, func(why string) bool { return slices.Contains(disruptions(), why) }))
		}},
	}
	var out []Outcome
	for _, k := range kinds {
		o := Outcome{Name: k.name, Title: k.title, Pairs: len(pairs), Asks: k.asks, Verdict: result.Pass}
		for _, p := range pairs {
			switch a, b := k.bad(p.A), k.bad(p.B); {
			case a > b:
				o.OnlyA++
			case b > a:
				o.OnlyB++
			case a > 0:
				o.Both++
			}
		}
		o.P = mcnemar(o.OnlyA, o.OnlyB)
		out = append(out, o)
	}
	return out
}

// disruptions are the reasons, as slices give them, for which something other than the load moved an arm.
func disruptions() []string {
	return []string{"restart missed", "leadership missed", "database missed"} // conditions of package gate
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// mcnemar is the exact one-sided test that the second of two discordant counts is
// the larger by more than chance: under the null hypothesis it is binomial with
// probability 1/2 (McNemar, "Note on the Sampling Error of the Difference between
// Correlated Proportions or Percentages", Psychometrika 12 (1947), 153-157).
func mcnemar(onlyA, onlyB int) float64 {
	if onlyB == 0 {
		return 1
	}
	n := float64(onlyA + onlyB)
	return distuv.Binomial{N: n, P: 0.5}.Survival(float64(onlyB) - 1)
}

// decide gives the verdict at a level.
func (o *Outcome) decide(level float64) {
	if o.OnlyB == 0 {
		return
	}
	o.Reason = fmt.Sprintf("%s: more with B in %d of %d pairs, more with A in %d", o.Title, o.OnlyB, o.Pairs, o.OnlyA)
	if !o.Asks && o.PHolm <= level {
		o.Verdict = result.Fail
		return
	}
	o.Reason += ", which may be chance"
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
		if len(s.s.Invalid) > 0 {
			return s.arm + ": " + s.s.Invalid[0]
		}
	}
	return ""
}

// Values are a metric's values in the valid pairs in which both arms have one, in order.
func (c *Comparison) Values(metric string) (a, b []float64) {
	for _, p := range c.Pairs {
		x, okA := p.A.Values[metric]
		y, okB := p.B.Values[metric]
		if okA && okB && p.discarded() == "" {
			a, b = append(a, x), append(b, y)
		}
	}
	return a, b
}

// Discarded is how many pairs were discarded, and for which reasons and how often, the commonest first.
func Discarded(pairs []Pair) (n int, reasons []string) {
	count := map[string]int{}
	for _, p := range pairs {
		if why := p.discarded(); why != "" {
			n++
			count[why]++
		}
	}
	reasons = slices.SortedFunc(maps.Keys(count), func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
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

// whyNone says why no metric can decide.
func whyNone(metrics []Metric) string {
	for _, m := range metrics {
		if m.Reason != "" {
			return m.Title + ": " + m.Reason
		}
	}
	return "none was asked for"
}
