package render

import (
	"image/color"
	"io"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours of plots, those of the pages in light.
var (
	Dark   = color.RGBA{0x0f, 0x3f, 0x78, 0xff}
	Blue   = color.RGBA{0x2f, 0x7b, 0xd0, 0xff}
	Light  = color.RGBA{0x8f, 0xbd, 0xea, 0xff}
	Orange = color.RGBA{0xc0, 0x56, 0x21, 0xff}
	Green  = color.RGBA{0x2e, 0x8b, 0x57, 0xff}
	Red    = color.RGBA{0xc0, 0x39, 0x2b, 0xff}
	Grey   = color.RGBA{0x85, 0x8c, 0x98, 0xff}
	Amber  = color.RGBA{0x85, 0x56, 0x00, 0xff}
)

const plotDPI = 96

// NewPlot is an empty plot over a grid, with numbers on both axes and the legend at the top right.
func NewPlot(title, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.Title.Padding, p.Y.Label.Text = title, vg.Points(6), y
	for _, style := range []*text.Style{
		&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label,
		&p.Y.Tick.Label, &p.Legend.TextStyle,
	} {
		style.Font.Variant = "Sans"
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = wholeTicks{}, wholeTicks{}
	p.Legend.Top, p.Legend.XOffs, p.Legend.Padding = true, -vg.Points(6), vg.Points(2)
	p.Add(plotter.NewGrid())
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

// Line draws a line through points, with a dot of the given radius at each, 0 for none. An empty
// label keeps it out of the legend.
func Line(p *plot.Plot, label string, colour color.Color, dots vg.Length, points plotter.XYs) error {
	line, marks, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	line.Color, line.Width = colour, vg.Points(1.2)
	p.Add(line)
	if dots > 0 {
		marks.Color, marks.Shape, marks.Radius = colour, draw.CircleGlyph{}, dots
		p.Add(marks)
	}
	if label != "" {
		p.Legend.Add(label, line)
	}
	return nil
}

// Mark draws a dashed line between two points. An empty label keeps it out of the legend.
func Mark(p *plot.Plot, label string, colour color.Color, from, to plotter.XY) error {
	line, err := plotter.NewLine(plotter.XYs{from, to})
	if err != nil {
		return err
	}
	line.Color, line.Dashes = colour, []vg.Length{vg.Points(4), vg.Points(3)}
	p.Add(line)
	if label != "" {
		p.Legend.Add(label, line)
	}
	return nil
}

// Draw writes plots, one below the other, as a picture in the format png or svg.
func Draw(w io.Writer, format string, width, height vg.Length, plots ...*plot.Plot) error {
	var canvas interface {
		vg.CanvasSizer
		io.WriterTo
	}
	if format == "svg" {
		canvas = vgsvg.New(width, height)
	} else {
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(plotDPI),
			vgimg.UseBackgroundColor(color.White))}
	}
	if len(plots) == 1 {
		plots[0].Draw(draw.New(canvas))
	} else {
		column := make([][]*plot.Plot, len(plots))
		for i, p := range plots {
			column[i] = []*plot.Plot{p}
		}
		tiles := draw.Tiles{
			Rows: len(plots), Cols: 1, PadY: 5 * vg.Millimeter, PadTop: 3 * vg.Millimeter, PadRight: 3 * vg.Millimeter,
		}
		for i, row := range plot.Align(column, tiles, draw.New(canvas)) {
			plots[i].Draw(row[0])
		}
	}
	_, err := canvas.WriteTo(w)
	return err
}
