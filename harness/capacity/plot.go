package capacity

import (
	"bytes"
	"fmt"
	"image/color"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"gitlab.com/steamer/steamer/harness/secret"
)

// Size of the pictures.
const (
	plotWidth  = 20 * vg.Centimeter
	plotHeight = 18 * vg.Centimeter
)

// curveOf is one line of a plot.
type curveOf struct {
	name  string
	color color.RGBA
	of    func(Point) float64
}

// WritePlots draws latency and CPU against the offered rate, and writes capacity.png and
// capacity.svg into dir. It writes nothing with fewer than two rates and then returns false.
func (r *Report) WritePlots(dir string) (bool, error) {
	r = secret.Scrub(r)
	curve := Curve(r.Points)
	if len(curve) < 2 {
		return false, nil
	}
	blue, orange, red, green := color.RGBA{31, 119, 180, 255}, color.RGBA{230, 130, 20, 255}, color.RGBA{200, 40, 40, 255},
		color.RGBA{60, 140, 60, 255}
	latency, err := r.panel(curve, "ms from the intended start", []curveOf{
		{"p50", blue, func(p Point) float64 { return p.P50 }},
		{"p95", orange, func(p Point) float64 { return p.P95 }},
		{"p99", red, func(p Point) float64 { return p.P99 }},
	}, true)
	if err != nil {
		return false, err
	}
	latency.Title.Text = fmt.Sprintf("%s, %s: capacity %s", r.Target, r.Mode, describeRate(r.Held))
	cpu, err := r.panel(curve, "CPU cores", []curveOf{
		{"OpenBao", blue, func(p Point) float64 { return p.OpenBao.Cores }},
		{"PostgreSQL", green, func(p Point) float64 { return p.PostgreSQL.Cores }},
		{"generator", orange, func(p Point) float64 { return p.Generator }},
	}, false)
	if err != nil {
		return false, err
	}
	cpu.X.Label.Text = "offered fetches per second"
	picture := vgimg.PngCanvas{Canvas: vgimg.New(plotWidth, plotHeight)}
	vector := vgsvg.New(plotWidth, plotHeight)
	for _, c := range []draw.Canvas{draw.New(picture), draw.New(vector)} {
		tiles := draw.Tiles{Rows: 2, Cols: 1, PadY: 5 * vg.Millimeter, PadTop: 3 * vg.Millimeter, PadRight: 3 * vg.Millimeter}
		for row, canvases := range plot.Align([][]*plot.Plot{{latency}, {cpu}}, tiles, c) {
			[]*plot.Plot{latency, cpu}[row].Draw(canvases[0])
		}
	}
	for name, canvas := range map[string]vg.CanvasWriterTo{"capacity.png": picture, "capacity.svg": vector} {
		if err := writeTo(filepath.Join(dir, name), canvas); err != nil {
			return false, err
		}
	}
	return true, nil
}

func writeTo(path string, canvas vg.CanvasWriterTo) error {
	var picture bytes.Buffer
	if _, err := canvas.WriteTo(&picture); err != nil {
		return err
	}
	return secret.WriteFile(path, picture.Bytes(), secret.Public)
}

// panel draws lines over the rate, with the capacity marked. A logarithmic axis shows a latency
// that rises a hundredfold.
func (r *Report) panel(curve []Point, label string, lines []curveOf, logarithmic bool) (*plot.Plot, error) {
	p := plot.New()
	p.Y.Label.Text = label
	p.Legend.Top, p.Legend.Left = true, true
	lo, hi := 0.0, 0.0
	for _, l := range lines {
		xys := make(plotter.XYs, len(curve))
		for i, point := range curve {
			y := l.of(point)
			if logarithmic {
				y = max(y, 0.1)
			}
			xys[i] = plotter.XY{X: point.Rate, Y: y}
			hi = max(hi, y)
			if lo == 0 || y < lo {
				lo = y
			}
		}
		line, dots, err := plotter.NewLinePoints(xys)
		if err != nil {
			return nil, err
		}
		line.Color, dots.Color, dots.Shape, dots.Radius = l.color, l.color, draw.CircleGlyph{}, 2
		line.Width = vg.Points(1.5)
		p.Add(line, dots)
		p.Legend.Add(l.name, line)
	}
	if logarithmic {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	} else {
		lo = 0
	}
	if r.Held > 0 {
		mark, err := plotter.NewLine(plotter.XYs{{X: r.Held, Y: lo}, {X: r.Held, Y: hi}})
		if err != nil {
			return nil, err
		}
		mark.Dashes, mark.Color = []vg.Length{4, 4}, color.Gray{110}
		p.Add(mark)
		p.Legend.Add("held", mark)
	}
	p.Add(plotter.NewGrid())
	return p, nil
}
