package report

import (
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"gitlab.com/steamer/steamer/harness/result"
)

// The colours are those of the page in light.
var (
	colourP50  = color.RGBA{0x0f, 0x3f, 0x78, 0xff}
	colourP95  = color.RGBA{0x2f, 0x7b, 0xd0, 0xff}
	colourP99  = color.RGBA{0x8f, 0xbd, 0xea, 0xff}
	colourPG   = color.RGBA{0xc0, 0x56, 0x21, 0xff}
	colourWarm = color.NRGBA{0x5a, 0x63, 0x72, 0x28}
	colourMark = color.RGBA{0x85, 0x56, 0x00, 0xff}
)

const (
	plotWidth, plotHeight = 24 * vg.Centimeter, 9 * vg.Centimeter
	plotDPI               = 96
)

// LatencyPNG draws the latency of a topology with load over time, with its warm-up shaded and its
// events marked.
func LatencyPNG(w io.Writer, t *result.Topology) error {
	c := newCharts(t)
	p := newPlot("Latency from the intended start, " + plain(t.Name))
	p.X.Label.Text = "seconds since the load began"
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
	shade.Color, shade.LineStyle.Width = colourWarm, 0
	p.Add(plotter.NewGrid(), shade)
	for _, m := range c.Events {
		mark, err := plotter.NewLine(plotter.XYs{{X: m.T, Y: 0}, {X: m.T, Y: top}})
		if err != nil {
			return err
		}
		mark.Color, mark.Dashes = colourMark, []vg.Length{vg.Points(3), vg.Points(2)}
		p.Add(mark)
	}
	for _, s := range []struct {
		label  string
		colour color.Color
		v      []*float64
	}{{"p99", colourP99, c.P99}, {"p95", colourP95, c.P95}, {"p50", colourP50, c.P50}} {
		if err := addLine(p, s.label, s.colour, c.T, s.v); err != nil {
			return err
		}
	}
	return png(w, p)
}

// PercentilesPNG draws a topology's latency by percentile, from the actual and from the intended
// start.
func PercentilesPNG(w io.Writer, t *result.Topology) error {
	c := newCharts(t)
	p := newPlot("Latency by percentile, " + plain(t.Name))
	p.X.Tick.Marker = percentileTicks{}
	x := make([]float64, len(c.Curve.X))
	for i, v := range c.Curve.X {
		x[i] = math.Log10(v)
	}
	p.Add(plotter.NewGrid())
	if err := addLine(p, "from the intended start", colourP95, x, c.Curve.Intended); err != nil {
		return err
	}
	if err := addLine(p, "from the actual start", colourPG, x, c.Curve.Actual); err != nil {
		return err
	}
	return png(w, p)
}

// newPlot is an empty plot of milliseconds in the page's kind of type.
func newPlot(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.Title.Padding = title, vg.Points(6)
	p.Y.Label.Text, p.Y.Min = "ms", 0
	for _, style := range []*text.Style{
		&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label,
		&p.Y.Tick.Label, &p.Legend.TextStyle,
	} {
		style.Font.Variant = "Sans"
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = wholeTicks{}, wholeTicks{}
	p.Legend.Top, p.Legend.XOffs, p.Legend.Padding = true, -vg.Points(6), vg.Points(2)
	return p
}

// wholeTicks are the default ones without decimals that say nothing.
type wholeTicks struct{}

func (wholeTicks) Ticks(least, most float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(least, most)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = strconv.FormatFloat(ticks[i].Value, 'f', -1, 64)
		}
	}
	return ticks
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
	named := false
	flush := func() error {
		if len(part) == 0 {
			return nil
		}
		line, err := plotter.NewLine(part)
		if err != nil {
			return err
		}
		line.Color, line.Width = colour, vg.Points(1.2)
		p.Add(line)
		if !named {
			p.Legend.Add(label, line)
			named = true
		}
		part = nil
		return nil
	}
	for i := range y {
		if y[i] == nil {
			if err := flush(); err != nil {
				return err
			}
			continue
		}
		part = append(part, plotter.XY{X: x[i], Y: *y[i]})
	}
	return flush()
}

func png(w io.Writer, p *plot.Plot) error {
	canvas := vgimg.NewWith(vgimg.UseWH(plotWidth, plotHeight), vgimg.UseDPI(plotDPI),
		vgimg.UseBackgroundColor(color.White))
	p.Draw(draw.New(canvas))
	_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
	return err
}
