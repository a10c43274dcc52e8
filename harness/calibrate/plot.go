package calibrate

import (
	"cmp"
	"fmt"
	"image/color"
	"maps"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	_ "gonum.org/v1/plot/vg/vgimg" // lets a plot be saved as PNG

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// PlotFile is the name of the picture beside a calibration.
const PlotFile = "calibration.png"

const plotWidth, plotHeight = 24 * vg.Centimeter, 11 * vg.Centimeter

// verdictColours are drawn in this order, so that what decided is on top.
var verdictColours = []struct {
	verdict result.Verdict
	colour  color.Color
}{
	{result.Inconclusive, color.RGBA{0x85, 0x8c, 0x98, 0xff}},
	{result.Pass, color.RGBA{0x2e, 0x8b, 0x57, 0xff}},
	{result.Fail, color.RGBA{0xc0, 0x39, 0x2b, 0xff}},
}

// estimate is what one comparison says of a metric.
type estimate struct {
	ratio, lo, hi float64
	verdict       result.Verdict
}

// WritePlot draws B/A of the first gate metric with its interval for every comparison, beside those
// to whose B the same was done and in the order of the estimates, as PlotFile into dir. Where no
// comparison has an interval it draws nothing and returns false.
func WritePlot(dir string, list []*compare.Comparison) (bool, error) {
	groups := map[treatment][]estimate{}
	var gate compare.Metric
	for _, doc := range list {
		for _, m := range doc.Metrics {
			if m.Name == doc.Design.GateMetrics[0].Name && m.Lo != nil && m.Hi != nil {
				groups[treated(doc)] = append(groups[treated(doc)], estimate{m.Ratio, *m.Lo, *m.Hi, doc.Verdict})
				gate = m
			}
		}
	}
	if len(groups) == 0 {
		return false, nil
	}
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%s: B/A with its interval, %d comparisons", gate.Title, len(list))
	p.Y.Label.Text = "B over A"
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	drawn := map[result.Verdict][]plotter.XYs{}
	var ticks []plot.Tick
	x := 0.0
	for _, t := range slices.SortedFunc(maps.Keys(groups), treatment.compare) {
		group := groups[t]
		slices.SortFunc(group, func(a, b estimate) int { return cmp.Compare(a.ratio, b.ratio) })
		ticks = append(ticks, plot.Tick{Value: x + float64(len(group)-1)/2, Label: t.label()})
		for _, e := range group {
			drawn[e.verdict] = append(drawn[e.verdict], plotter.XYs{{X: x, Y: e.lo}, {X: x, Y: e.ratio}, {X: x, Y: e.hi}})
			x++
		}
		x += 3 // a gap
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	if err := addReference(p, 1+gate.Margin, x-3); err != nil {
		return false, err
	}
	for _, v := range verdictColours {
		if err := addIntervals(p, string(v.verdict), v.colour, drawn[v.verdict]); err != nil {
			return false, err
		}
	}
	path := filepath.Join(dir, PlotFile)
	if err := p.Save(plotWidth, plotHeight, path); err != nil {
		return false, exit.Environmentf(path, "make the directory writable", "%w", err)
	}
	return true, nil
}

// addReference draws the ratio that B has to exceed to FAIL.
func addReference(p *plot.Plot, ratio, width float64) error {
	line, err := plotter.NewLine(plotter.XYs{{X: -1, Y: ratio}, {X: width, Y: ratio}})
	if err != nil {
		return err
	}
	line.Dashes, line.Color = []vg.Length{vg.Points(4), vg.Points(3)}, color.Black
	p.Add(line)
	p.Legend.Add("the margin", line)
	return nil
}

// addIntervals draws lower end, estimate and upper end of comparisons with one verdict.
func addIntervals(p *plot.Plot, name string, colour color.Color, intervals []plotter.XYs) error {
	var middles plotter.XYs
	for _, xys := range intervals {
		line, err := plotter.NewLine(xys)
		if err != nil {
			return err
		}
		line.Color, line.Width = colour, vg.Points(1.5)
		p.Add(line)
		middles = append(middles, xys[1])
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
	p.Legend.Add(fmt.Sprintf("%s (%d)", name, len(middles)), dots)
	return nil
}
