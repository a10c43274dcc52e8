package pages

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"io"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"gitlab.com/steamer/steamer/harness/calibrate"
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
)

// WriteCalibration writes calibration.json into dir, the comparisons that it was made from as
// campaign.json, and a picture of them as calibration.png where any has an interval.
func WriteCalibration(dir string, c *calibrate.Calibration, list []*compare.Comparison) error {
	data, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return fmt.Errorf("calibration cannot be written as JSON: %w", err)
	}
	made, err := calibrate.EncodeCampaign(calibrate.NewCampaign(list))
	if err != nil {
		return err
	}
	err = errors.Join(document.WriteFile(filepath.Join(dir, calibrate.File), append(data, '\n')),
		document.WriteFile(filepath.Join(dir, calibrate.CampaignFile), made))
	groups, gate := estimates(list)
	if len(groups) == 0 {
		return err
	}
	return errors.Join(err, render.WriteFile(filepath.Join(dir, "calibration.png"),
		func(w io.Writer) error { return drawCalibration(w, groups, gate) }))
}

// Calibration prints a calibration for a terminal.
func Calibration(w io.Writer, c *calibrate.Calibration) error {
	doc := &render.Document{}
	d := c.Design
	doc.Say("%s, %g fetches/s, slices of %g s, at most %d pairs, alpha %g", d.Where, d.Rate, d.Slice, d.MaxPairs, d.Alpha)
	rates := render.Table{Head: []string{"what", "of", "rate", "bounds (95 % each)"}}
	add := func(name string, r calibrate.Rate, bounds string) {
		if r.Of > 0 {
			rates.Add(name, fmt.Sprintf("%d of %d", r.Events, r.Of), render.Percent(float64(r.Events)/float64(r.Of)), bounds)
		}
	}
	bounds := func(r calibrate.Rate) string { return fmt.Sprintf("%.1f to %.1f %%", 100*r.Lower, 100*r.Upper) }
	const dependent = "–" // relabellings of one comparison are not independent trials
	add("false alarms, the system with itself", c.Same, bounds(c.Same))
	add("the same, relabelled", c.Relabelled, dependent)
	add("the same, relabelled, margin 0", c.RelabelledZero, dependent)
	for _, f := range c.Found {
		what := calibrate.Label(f.Injected, f.CPUs)
		add(what+": FAIL", f.Failed, bounds(f.Failed))
		add(what+": an interval above 1", f.Shown, bounds(f.Shown))
	}
	metrics := render.Table{Head: []string{"metric", "SD of a pair", "MDE", "CV of slices", "noise", ""}}
	for _, m := range c.Metrics {
		note := ""
		if m.Quarantine {
			note = "quarantine: the margin cannot be seen"
		}
		share := func(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }
		metrics.Add(m.Name, share(m.SD), share(m.MDE), share(m.CV), m.Noise, note)
	}
	doc.Table(rates)
	doc.Table(metrics)
	return doc.Text(w)
}

// treatment is what was done to B.
type treatment struct{ effect, cpus float64 }

// estimate is what one comparison says of a metric.
type estimate struct {
	treatment
	ratio, lo, hi float64
	verdict       result.Verdict
}

// estimates are those of the first gate metric, grouped by what was done to B, the milder first,
// and in the order of the ratios.
func estimates(list []*compare.Comparison) (groups [][]estimate, gate compare.Metric) {
	var all []estimate
	for _, doc := range list {
		for _, m := range doc.Metrics {
			if m.Name == doc.Design.GateMetrics[0].Name && m.Lo != nil && m.Hi != nil {
				all = append(all, estimate{treatment{doc.B.Injected, doc.B.CPUs}, m.Ratio, *m.Lo, *m.Hi, doc.Verdict})
				gate = m
			}
		}
	}
	slices.SortStableFunc(all, func(a, b estimate) int {
		return cmp.Or(cmp.Compare(a.effect, b.effect), cmp.Compare(b.cpus, a.cpus), cmp.Compare(a.ratio, b.ratio))
	})
	for i, e := range all {
		if i == 0 || e.treatment != all[i-1].treatment {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], e)
	}
	return groups, gate
}

// drawCalibration draws B/A of the metric with its interval for every comparison.
func drawCalibration(w io.Writer, groups [][]estimate, gate compare.Metric) error {
	drawn, count := map[result.Verdict][]plotter.XYs{}, 0
	var ticks []plot.Tick
	x := 0.0
	for _, group := range groups {
		ticks = append(ticks, plot.Tick{
			Value: x + float64(len(group)-1)/2, Label: calibrate.Label(group[0].effect, group[0].cpus),
		})
		for _, e := range group {
			drawn[e.verdict] = append(drawn[e.verdict], plotter.XYs{{X: x, Y: e.lo}, {X: x, Y: e.ratio}, {X: x, Y: e.hi}})
			x++
			count++
		}
		x += 3 // a gap
	}
	p := render.NewPlot(fmt.Sprintf("%s: B/A with its interval, %d comparisons", gate.Title, count), "B over A")
	p.Legend.Left, p.Legend.XOffs = true, vg.Points(6)
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	limit := 1 + gate.Margin // what B has to exceed to FAIL
	if err := render.Mark(p, "the margin", render.Amber, plotter.XY{X: -1, Y: limit},
		plotter.XY{X: x - 3, Y: limit}); err != nil {
		return err
	}
	for _, v := range []result.Verdict{result.Inconclusive, result.Pass, result.Fail} { // what decided lies on top
		if err := addIntervals(p, v, drawn[v]); err != nil {
			return err
		}
	}
	return render.Draw(w, "png", 24*vg.Centimeter, 11*vg.Centimeter, p)
}

// addIntervals draws lower end, estimate and upper end of comparisons with one verdict.
func addIntervals(p *plot.Plot, v result.Verdict, intervals []plotter.XYs) error {
	colour := map[result.Verdict]color.Color{
		result.Inconclusive: render.Grey, result.Pass: render.Green,
		result.Fail: render.Red,
	}[v]
	var middles plotter.XYs
	for _, points := range intervals {
		if err := render.Line(p, "", colour, 0, points); err != nil {
			return err
		}
		middles = append(middles, points[1])
	}
	if len(middles) == 0 {
		return nil
	}
	dots, err := plotter.NewScatter(middles)
	if err != nil {
		return err
	}
	dots.Shape, dots.Color, dots.Radius = draw.CircleGlyph{}, colour, vg.Points(2.5)
	p.Add(dots)
	p.Legend.Add(fmt.Sprintf("%s (%d)", string(v), len(middles)), dots)
	return nil
}
