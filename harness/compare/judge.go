package compare

import (
	"fmt"
	"math"
	"slices"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/stats"
)

// Shares of the driven pairs that have to be valid.
const (
	minValid      = 0.75 // for a PASS; what discards pairs may be what is looked for
	hopelessValid = 0.5  // below it, going on is a waste of time
)

// MinPairs is the least number of pairs a comparison can be planned with: six
// reach a one-sided p-value of 1/64, five not even 0.025.
const MinPairs = 6

// Judge fills in the judgement, replacing what was there, by going through the
// interim analyses in order until one decides. The rules in each, first match wins:
//
//  1. FAIL: B did not come up, or answered a wrong value; a scenario passes with A and fails with
//     B, twice; a gate metric's ratio lies above its margin, or B fails more fetches, does not
//     carry the load or is disrupted more, each at the level of the analysis after Holm's
//     correction over all of them
//  2. INCONCLUSIVE in the last analysis: anything undecided, fewer than 75 % valid pairs, any
//     failed fetch, overload or disruption of B in any pair, an interrupted comparison, a wrong
//     value in A
//  3. PASS: every gate metric's ratio lies below its margin
//
// A PASS needs no correction for the number of metrics, because all have to hold. A metric in
// quarantine may FAIL like any other, but need not PASS.
func Judge(c *Comparison, q *Quarantine) {
	c.Interims, c.Metrics, c.Outcomes, c.Notes = nil, nil, nil, q.ended(c.Design)
	plan := stats.Interims{Alpha: c.Design.Alpha, Every: c.Design.InterimEvery, Max: c.Design.MaxPairs}
	ended := !c.Finished.IsZero() || len(c.Pairs) >= plan.Max
	seen := 0
	var v verdict
	for n := 1; n <= len(c.Pairs); n++ {
		last := ended && n == len(c.Pairs)
		if !plan.Due(n) && !last {
			continue
		}
		// That the end came here may be because this analysis decided: it is judged as any other
		// first. Only what it leaves open may use what is left of alpha.
		if plan.Due(n) {
			v = c.interim(n, plan.Level(seen, n, false), last, q)
			if v.value != result.Inconclusive || !last || c.hopeless() {
				if seen = n; v.value != result.Inconclusive {
					break
				}
				continue
			}
			c.Interims = c.Interims[:len(c.Interims)-1]
		}
		if v = c.interim(n, plan.Level(seen, n, true), true, q); v.value != result.Inconclusive {
			break
		}
	}
	if len(c.Interims) == 0 {
		v = verdict{
			value: result.Inconclusive,
			reasons: []string{fmt.Sprintf("no judgement yet: %d pairs, the first interim analysis comes after %d", len(c.Pairs),
				min(plan.Every, plan.Max))},
		}
		if len(c.Pairs) == 0 {
			v.reasons = []string{"no pair was driven"}
		}
	}
	v = c.beyondPairs(v)
	c.Verdict, c.Reasons = v.value, v.reasons
}

// Decided reports whether the last judgement leaves nothing to find out by more pairs.
func (c *Comparison) Decided() bool {
	if len(c.Interims) == 0 {
		return false
	}
	last := c.Interims[len(c.Interims)-1]
	return last.Pairs == len(c.Pairs) && (last.Verdict != result.Inconclusive || c.hopeless())
}

// hopeless reports whether so few pairs of the last analysis were valid that going on is a waste
// of time. It is none where it is B that spoils them: more pairs may prove it.
func (c *Comparison) hopeless() bool {
	last := c.Interims[len(c.Interims)-1]
	return float64(last.Valid) < hopelessValid*float64(last.Pairs) &&
		!slices.ContainsFunc(c.Outcomes, func(o Outcome) bool { return o.P <= c.Design.Alpha })
}

type verdict struct {
	value   result.Verdict
	reasons []string
}

// beyondPairs adds what no number of pairs changes.
func (c *Comparison) beyondPairs(v verdict) verdict {
	wrong := map[string]int64{}
	for _, p := range c.Pairs {
		wrong[A], wrong[B] = wrong[A]+p.A.Wrong, wrong[B]+p.B.Wrong
	}
	var fails, unsure []string
	if v.value == result.Pass { // by an earlier analysis, which did not see all pairs
		for _, o := range outcomes(c.Pairs) {
			if o.TotalB > 0 {
				unsure = append(unsure, fmt.Sprintf("%s: %d with B after the pairs that decided", o.Title, o.TotalB))
			}
		}
	}
	if wrong[B] > 0 {
		fails = append(fails, fmt.Sprintf("B answered %d fetches with a wrong value", wrong[B]))
	}
	fails = append(fails, c.regressions()...)
	if wrong[A] > 0 {
		unsure = append(unsure, fmt.Sprintf("A answered %d fetches with a wrong value: it cannot be the base of a comparison",
			wrong[A]))
	}
	switch {
	case c.A.Unfit != "":
		unsure = append(unsure, "A did not come up, so there is nothing to compare with: "+c.A.Unfit)
	case c.B.Unfit != "":
		fails = append(fails, "A comes up and B does not: "+c.B.Unfit)
	}
	if c.Partial {
		unsure = append(unsure, "the comparison did not reach its end")
	}
	switch {
	case len(fails) > 0 && v.value == result.Fail:
		v.reasons = slices.Concat(fails, v.reasons)
	case len(fails) > 0:
		v = verdict{result.Fail, slices.Concat(fails, unsure)}
	case len(unsure) > 0 && v.value != result.Fail:
		v = verdict{result.Inconclusive, slices.Concat(unsure, v.reasons)}
	}
	return v
}

// interim judges the first n pairs at one level and records the analysis.
func (c *Comparison) interim(n int, level float64, last bool, q *Quarantine) verdict {
	pairs := c.Pairs[:n]
	valid := slices.DeleteFunc(slices.Clone(pairs), func(p Pair) bool { return p.discarded() != "" })
	c.Metrics, c.Outcomes = c.metrics(valid, level, q), outcomes(pairs)
	adjust(c.Metrics, c.Outcomes)
	var fails, unsure, good []string
	for i := range c.Outcomes {
		o := &c.Outcomes[i]
		o.decide(level)
		switch {
		case o.Verdict == result.Fail:
			fails = append(fails, o.Reason)
		case o.Verdict == result.Inconclusive:
			unsure = append(unsure, o.Reason)
		case o.Reason != "":
			good = append(good, o.Reason)
		}
	}
	if share := float64(len(valid)) / float64(n); share < minValid {
		unsure = append(unsure, fmt.Sprintf("only %d of %d pairs are valid: %s", len(valid), n, discards(pairs)))
	}
	if last && len(valid) < MinPairs {
		unsure = append(unsure, fmt.Sprintf("too few pairs: %d, a judgement needs %d or more", len(valid), MinPairs))
	}
	gates := 0
	for i := range c.Metrics {
		m := &c.Metrics[i]
		m.decide(level)
		if m.Gate && m.Quarantine == "" {
			gates++
		}
		switch {
		case !m.Decides():
		case m.Verdict == result.Fail:
			fails = append(fails, m.sentence())
		case m.Verdict == result.Inconclusive:
			unsure = append(unsure, m.sentence())
		default:
			good = append(good, m.sentence())
		}
	}
	if gates == 0 {
		unsure = append(unsure, "no metric is left that has to pass: "+whyNone(c.Metrics))
	}
	var v verdict
	v.value, v.reasons = result.Conclude(fails, unsure, good)
	c.Interims = append(c.Interims, Interim{Pairs: n, Valid: len(valid), Level: level, Verdict: v.value})
	return v
}

// adjust applies Holm's correction over everything that can fail.
func adjust(metrics []Metric, outcomes []Outcome) {
	var p []float64
	var into []*float64
	for i := range metrics {
		metrics[i].PHolm = metrics[i].PFail
		if metrics[i].Gate {
			p, into = append(p, metrics[i].PFail), append(into, &metrics[i].PHolm)
		}
	}
	for i := range outcomes {
		if outcomes[i].PHolm = outcomes[i].P; outcomes[i].tested() {
			p, into = append(p, outcomes[i].P), append(into, &outcomes[i].PHolm)
		}
	}
	for i, adjusted := range stats.Holm(p) {
		*into[i] = adjusted
	}
}

// finite returns nil for what JSON cannot hold.
func finite(v float64) *float64 {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return nil
	}
	return &v
}
