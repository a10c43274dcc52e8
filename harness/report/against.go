package report

import (
	"fmt"
	"html/template"
	"io"
	"math"
	"path/filepath"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/stats"
)

// againstView is a comparison with its ratios drawn to one scale.
type againstView struct {
	gate.Compared
	Rows   []ratioView
	Strips []stripView
}

// stripView shows every slice of both sides on one axis from 0, which is how the distributions lie
// to one another.
type stripView struct {
	Title, Top, Alt string
	Sides           []sideView
}

// sideView is one side's slices, positions in % of the axis.
type sideView struct {
	Label  string
	Class  string
	Dots   []float64
	Median float64
}

// ratioView is a metric's row. Positions are in % of the picture's width; the scale is
// logarithmic, so that half and double are equally far from 1.
type ratioView struct {
	gate.Ratio
	Badge                      string // the verdict, or INFO where it does not decide
	A, B, Times, Interval, See string
	Drawn                      bool // there is an interval
	Left, Width, Dot           float64
	One, Limit                 float64
	Limited                    bool
}

// leastSpan is the least factor that the scale reaches from 1 on either side: smaller differences
// should look small.
const leastSpan = 1.25

func newAgainst(c gate.Compared) againstView {
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
			Ratio: m, Badge: string(m.Verdict), A: render.WithUnit(m.Base, m.Unit), B: render.WithUnit(m.Head, m.Unit),
			Times:    render.Number(m.Ratio),
			Interval: "too few pairs", One: at(1),
		}
		if !m.Gate {
			r.Badge = "INFO"
		}
		if m.MDE != nil {
			r.See = render.Number(100**m.MDE) + " %"
		}
		if m.Lo != nil && m.Hi != nil && *m.Lo > 0 && *m.Hi > 0 && m.Ratio > 0 {
			r.Drawn, r.Interval = true, render.Number(*m.Lo)+" to "+render.Number(*m.Hi)
			r.Left, r.Dot = at(*m.Lo), at(m.Ratio)
			r.Width = max(at(*m.Hi)-r.Left, 0.5)
		}
		if m.Margin > 0 {
			r.Limited, r.Limit = true, at(1+m.Margin)
		}
		v.Rows = append(v.Rows, r)
	}
	for _, m := range c.Metrics {
		if s, ok := newStrip(c, m); ok {
			v.Strips = append(v.Strips, s)
		}
	}
	return v
}

// newStrip draws a metric's slices, where there are two or more on either side.
func newStrip(c gate.Compared, m gate.Ratio) (stripView, bool) {
	both := c.Slices[m.Name]
	if len(both[0]) < 2 || len(both[1]) < 2 {
		return stripView{}, false
	}
	top := 0.0
	for _, side := range both {
		for _, x := range side {
			top = max(top, x)
		}
	}
	if !(top > 0) || math.IsInf(top, 0) {
		return stripView{}, false
	}
	s := stripView{Title: m.Title, Top: render.WithUnit(top, m.Unit)}
	for i, label := range []string{c.Base, c.Head} {
		side := sideView{Label: label, Class: []string{"bao2", "bao"}[i]}
		for _, x := range both[i] {
			side.Dots = append(side.Dots, bound(100*x/top))
		}
		middle := stats.Median(both[i])
		side.Median = bound(100 * middle / top)
		s.Sides = append(s.Sides, side)
		s.Alt += fmt.Sprintf("%s: %d slices, median %s. ", label, len(both[i]), render.WithUnit(middle, m.Unit))
	}
	return s, true
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

// comparisonPage is a comparison prepared for its page.
type comparisonPage struct {
	againstView
	Word   string // the verdict
	Lead   string
	Behind *behindView // nil where only the ratios are known
	CSS    template.CSS
}

// comparisonHTML writes a comparison as a self-contained page without any script: verdict, ratios
// with their intervals, and the slices of both sides beside each other. With the judged comparison
// itself, whole, which may be nil, it also has what stands behind the ratios: the pairs that were
// discarded, failed fetches and loads not carried, scenarios that differ, and what was not
// measured.
func comparisonHTML(w io.Writer, c *gate.Compared, whole *compare.Comparison) error {
	p := comparisonPage{againstView: newAgainst(*c), Word: string(c.Verdict)}
	p.Reasons = typesetAll(c.Reasons)
	if whole != nil {
		p.Behind = newBehind(whole)
	}
	p.Lead = map[result.Verdict]string{
		result.Pass:         "No metric that decides is worse than the base by more than its margin.",
		result.Fail:         "A metric or an outcome that decides is worse than the base by more than its margin.",
		result.Inconclusive: "The pairs do not show whether the head is worse.",
	}[c.Verdict]
	t, css, err := pageTemplate("comparison.html.tmpl")
	if err != nil {
		return err
	}
	p.CSS = css
	return t.Execute(w, p)
}

// WriteComparisonPage writes comparison.html into dir, which must exist, from the short form of a
// comparison and the whole, which may be nil.
func WriteComparisonPage(dir string, c *gate.Compared, whole *compare.Comparison) error {
	return writeComparisonPage(dir, 0, secret.Scrub(c), secret.Scrub(whole))
}

// writeComparisonPage writes the page of one of several comparisons, which are numbered from 0.
func writeComparisonPage(dir string, number int, c *gate.Compared, whole *compare.Comparison) error {
	name := "comparison.html"
	if number > 0 {
		name = fmt.Sprintf("comparison-%d.html", number+1)
	}
	return render.WriteFile(filepath.Join(dir, name), func(w io.Writer) error { return comparisonHTML(w, c, whole) })
}
