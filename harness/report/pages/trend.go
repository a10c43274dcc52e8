package pages

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/trend"
)

// TrendText prints trends for a terminal, those with changes first.
func TrendText(w io.Writer, list []trend.Series) error { return trendTable(list).Text(w) }

// TrendJSON prints trends as trends.json holds them.
func TrendJSON(w io.Writer, list []trend.Series) error { return encode(w, trend.NewRecord(list)) }

// WriteTrends writes trends.json, trends.md and a plot of each series with two runs or more into
// dir, which must exist; format is png or svg.
func WriteTrends(dir, format string, list []trend.Series) error {
	list = secret.Scrub(list)
	err := writeRecord(filepath.Join(dir, "trends.json"), trend.NewRecord(list))
	err = errors.Join(err, trendDocument(list, format).WriteFile(filepath.Join(dir, "trends.md")))
	for _, s := range list {
		if len(s.Points) > 1 {
			err = errors.Join(err, render.WriteFile(filepath.Join(dir, trendPlotFile(s, format)),
				func(w io.Writer) error { return drawTrend(w, format, s) }))
		}
	}
	return err
}

func trendDocument(list []trend.Series, format string) *render.Document {
	d := &render.Document{}
	d.Title(1, "Trends")
	d.Table(trendTable(list))
	d.Say("A change is where the runs before and after differ by more than chance (E-divisive, p ≤ 0.001). " +
		"It is a question, not a verdict.")
	for _, s := range changedFirst(list) {
		if len(s.Points) > 1 {
			d.Picture(trendName(s), trendPlotFile(s, format))
		}
	}
	return d
}

// changedFirst puts the series with changes first, else keeps the order.
func changedFirst(list []trend.Series) []trend.Series {
	var changed, rest []trend.Series
	for _, s := range list {
		if len(s.Changes) > 0 {
			changed = append(changed, s)
		} else {
			rest = append(rest, s)
		}
	}
	return append(changed, rest...)
}

func trendTable(list []trend.Series) render.Table {
	t := render.Table{Head: []string{"series", "metric", "runs", "skipped", "last", "changes"}}
	for _, s := range changedFirst(list) {
		last, changes := "", "none"
		if n := len(s.Points); n > 0 {
			last = render.WithUnit(s.Points[n-1].Value, s.Unit)
		}
		if n, least := len(s.Points), trend.LeastRuns(); n < least {
			changes = fmt.Sprintf("too few runs to see a change (%d of at least %d)", n, least)
		}
		var texts []string
		for _, c := range s.Changes {
			texts = append(texts, fmt.Sprintf("%s (run %s, chart %s): %s to %s, × %.2f", c.First.At.Format(time.DateOnly),
				c.First.Run, c.First.Chart, render.Number(c.Before), render.WithUnit(c.After, s.Unit), c.Ratio()))
		}
		if len(texts) > 0 {
			changes = strings.Join(texts, "; ")
		}
		t.Add(strings.Join(s.Labels(), ", "), s.Metric, strconv.Itoa(len(s.Points)), strconv.Itoa(s.Skipped), last, changes)
	}
	return t
}

func trendName(s trend.Series) string { return s.Metric + " of " + strings.Join(s.Labels(), ", ") }

// trendPlotFile is the name of a series' plot.
func trendPlotFile(s trend.Series, format string) string {
	clean := strings.NewReplacer("/", "-", " ", "-").Replace(strings.Join(append(s.Labels(), s.Metric), "-"))
	return clean + "." + format
}

// drawTrend draws a series with its changes.
func drawTrend(w io.Writer, format string, s trend.Series) error {
	p := render.NewPlot(trendName(s), s.Unit)
	p.X.Tick.Marker, p.Y.Min = plot.TimeTicks{Format: time.DateOnly}, 0
	points := make(plotter.XYs, len(s.Points))
	for i, pt := range s.Points {
		points[i].X, points[i].Y = float64(pt.At.Unix()), pt.Value
		p.Y.Max = max(p.Y.Max, 1.1*pt.Value)
	}
	top := p.Y.Max
	if err := render.Line(p, "", render.Blue, vg.Points(2.5), points); err != nil {
		return err
	}
	for _, c := range s.Changes {
		x := float64(c.First.At.Unix())
		if err := render.Mark(p, "", render.Red, plotter.XY{X: x}, plotter.XY{X: x, Y: top}); err != nil {
			return err
		}
	}
	return render.Draw(w, format, 20*vg.Centimeter, 8*vg.Centimeter, p)
}
