package report

import (
	"math"

	"gitlab.com/steamer/steamer/harness/decision"
	"gitlab.com/steamer/steamer/harness/result"
)

// againstView is a comparison with its ratios drawn to one scale.
type againstView struct {
	decision.Compared
	Rows []ratioView
}

// ratioView is a metric's row. Positions are in % of the picture's width; the scale is logarithmic, so that half and double are equally far
// from 1.
type ratioView struct {
	decision.Ratio
	Badge                      string // the verdict, or INFO where it does not decide
	A, B, Times, Interval, See string
	Drawn                      bool // there is an interval
	Left, Width, Dot           float64
	One, Limit                 float64
	Limited                    bool
}

// leastSpan is the least factor that the scale reaches from 1 on either side: smaller differences should look small.
const leastSpan = 1.25

func newAgainst(c decision.Compared) againstView {
	v := againstView{Compared: c}
	span := math.Log(leastSpan)
	for _, m := range c.Metrics {
		for _, x := range []float64{m.Ratio, deref(m.Lo), deref(m.Hi), 1 + m.Margin} {
			if x > 0 {
				span = max(span, math.Abs(math.Log(x)))
			}
		}
	}
	at := func(x float64) float64 { return bound(50 + 48*math.Log(x)/span) }
	for _, m := range c.Metrics {
		r := ratioView{
			Ratio: m, Badge: string(m.Verdict), A: withUnit(m.Base, m.Unit), B: withUnit(m.Head, m.Unit), Times: sig(m.Ratio), Interval: "too few pairs", One: at(1),
		}
		if !m.Gate {
			r.Badge = "INFO"
		}
		if m.MDE != nil {
			r.See = sig(100**m.MDE) + " %"
		}
		if m.Lo != nil && m.Hi != nil && *m.Lo > 0 && *m.Hi > 0 && m.Ratio > 0 {
			r.Drawn, r.Interval = true, sig(*m.Lo)+" to "+sig(*m.Hi)
			r.Left, r.Dot = at(*m.Lo), at(m.Ratio)
			r.Width = max(at(*m.Hi)-r.Left, 0.5)
		}
		if m.Margin > 0 {
			r.Limited, r.Limit = true, at(1+m.Margin)
		}
		v.Rows = append(v.Rows, r)
	}
	return v
}

func withUnit(v float64, unit string) string {
	if unit == "" {
		return sig(v)
	}
	return sig(v) + " " + unit
}

func deref(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}

// Tone is how the bar is coloured.
func (r ratioView) Tone() string {
	switch {
	case !r.Gate:
		return "neutral"
	case r.Verdict == result.Pass:
		return "good"
	case r.Verdict == result.Fail:
		return "bad"
	}
	return "neutral"
}
