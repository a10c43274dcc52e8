package trend

import (
	"bytes"
	"image/color"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/secret"
)

// PlotFile is the name of a series' plot.
func PlotFile(s Series, format string) string {
	clean := strings.NewReplacer("/", "-", " ", "-").Replace(strings.Join(append(s.labels(), s.Metric), "-"))
	return clean + "." + format
}

// Plot draws a series with its changes into dir; format is png or svg.
func Plot(dir, format string, s Series) error {
	s = secret.Scrub(s)
	p := plot.New()
	p.Title.Text = s.name()
	p.Y.Label.Text, p.Y.Min = s.Unit, 0
	p.X.Tick.Marker = plot.TimeTicks{Format: "2006-01-02"}
	points := make(plotter.XYs, len(s.Points))
	for i, pt := range s.Points {
		points[i].X, points[i].Y = float64(pt.At.Unix()), pt.Value
		p.Y.Max = max(p.Y.Max, 1.1*pt.Value)
	}
	line, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	blue := color.RGBA{R: 0x1f, G: 0x75, B: 0xcb, A: 0xff}
	line.Color, dots.Color = blue, blue
	p.Add(plotter.NewGrid(), line, dots)
	for _, c := range s.Changes {
		x := float64(c.First.At.Unix())
		mark, err := plotter.NewLine(plotter.XYs{{X: x, Y: 0}, {X: x, Y: p.Y.Max}})
		if err != nil {
			return err
		}
		mark.Color, mark.Dashes = color.RGBA{R: 0xc9, G: 0x1c, B: 0x00, A: 0xff}, []vg.Length{vg.Points(4), vg.Points(3)}
		p.Add(mark)
	}
	path := filepath.Join(dir, PlotFile(s, format))
	canvas, err := p.WriterTo(20*vg.Centimeter, 8*vg.Centimeter, format)
	if err != nil {
		return err
	}
	var picture bytes.Buffer
	if _, err := canvas.WriteTo(&picture); err != nil {
		return err
	}
	if err := secret.WriteFile(path, picture.Bytes(), secret.Public); err != nil {
		return exit.Environmentf(path, "make the directory writable", "%w", err)
	}
	return nil
}
