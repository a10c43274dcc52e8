package report

import (
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
)

// warmupShade lies over the time that is not measured.
var warmupShade = color.NRGBA{0x5a, 0x63, 0x72, 0x28}

const plotWidth, plotHeight = 24 * vg.Centimeter, 9 * vg.Centimeter

// latencyPNG draws the latency of a topology with load over time, with its warm-up shaded and its
// events marked.
func latencyPNG(w io.Writer, t *result.Topology) error {
	c := newCharts(t)
	p := render.NewPlot("Latency from the intended start, "+render.Plain(t.Name), "ms")
	p.X.Label.Text, p.Y.Min = "seconds since the load began", 0
	top := 0.0
	for _, v := range c.P99 {
		if v != nil {
			top = max(top, *v)
		}
	}
	top *= 1.15 // room for the legend
	shade, err := plotter.NewPolygon(plotter.XYs{{X: 0, Y: 0}, {X: c.Warmup, Y: 0}, {X: c.Warmup, Y: top}, {X: 0, Y: top}})
	if err != nil {
		return err
	}
	shade.Color, shade.LineStyle.Width = warmupShade, 0
	p.Add(shade)
	for _, m := range c.Events {
		if err := render.Mark(p, "", render.Amber, plotter.XY{X: m.T}, plotter.XY{X: m.T, Y: top}); err != nil {
			return err
		}
	}
	for _, s := range []struct {
		label  string
		colour color.Color
		v      []*float64
	}{{"p99", render.Light, c.P99}, {"p95", render.Blue, c.P95}, {"p50", render.Dark, c.P50}} {
		if err := addLine(p, s.label, s.colour, c.T, s.v); err != nil {
			return err
		}
	}
	return render.Draw(w, "png", plotWidth, plotHeight, p)
}

// percentilesPNG draws a topology's latency by percentile, from the actual and from the intended
// start.
func percentilesPNG(w io.Writer, t *result.Topology) error {
	c := newCharts(t)
	p := render.NewPlot("Latency by percentile, "+render.Plain(t.Name), "ms")
	p.X.Tick.Marker, p.Y.Min = percentileTicks{}, 0
	x := make([]float64, len(c.Curve.X))
	for i, v := range c.Curve.X {
		x[i] = math.Log10(v)
	}
	if err := addLine(p, "from the intended start", render.Blue, x, c.Curve.Intended); err != nil {
		return err
	}
	if err := addLine(p, "from the actual start", render.Orange, x, c.Curve.Actual); err != nil {
		return err
	}
	return render.Draw(w, "png", plotWidth, plotHeight, p)
}

// percentileTicks names the tenfolds of 1/(1-quantile).
type percentileTicks struct{}

func (percentileTicks) Ticks(_, most float64) []plot.Tick {
	ticks := []plot.Tick{{Value: 0, Label: "p0"}, {Value: math.Log10(2), Label: "p50"}}
	for i, label := range []string{"p90", "p99", "p99.9", "p99.99", "p99.999"} {
		if v := float64(i + 1); v <= most {
			ticks = append(ticks, plot.Tick{Value: v, Label: label})
		}
	}
	return ticks
}

// addLine draws one series, broken where a value is missing.
func addLine(p *plot.Plot, label string, colour color.Color, x []float64, y []*float64) error {
	var part plotter.XYs
	flush := func() error {
		if len(part) == 0 {
			return nil
		}
		err := render.Line(p, label, colour, 0, part)
		part, label = nil, ""
		return err
	}
	for i := range y {
		if y[i] != nil {
			part = append(part, plotter.XY{X: x[i], Y: *y[i]})
			continue
		}
		if err := flush(); err != nil {
			return err
		}
	}
	return flush()
}
