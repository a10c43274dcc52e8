package pages

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"gitlab.com/steamer/steamer/harness/capacity"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/secret"
)

// WriteCapacity writes capacity.json and capacity.md into dir, which must exist, and with two
// rates or more capacity.png and capacity.svg. It returns the Markdown, also beside an error.
func WriteCapacity(dir string, r *capacity.Report) (markdown string, err error) {
	r = secret.Scrub(r)
	curve, picture := capacity.Curve(r.Points), ""
	if len(curve) > 1 {
		picture = "capacity.png"
		for _, format := range []string{"png", "svg"} {
			err = errors.Join(err, render.WriteFile(filepath.Join(dir, "capacity."+format),
				func(w io.Writer) error { return drawCapacity(w, format, r, curve) }))
		}
	}
	d := capacityDocument(r, picture)
	return d.Markdown(), errors.Join(err, writeMeasurement(dir, "capacity", r, d))
}

// capacityDocument is the report; picture is its file relative to the document, or "".
func capacityDocument(r *capacity.Report, picture string) *render.Document {
	d := &render.Document{}
	d.Title(1, "Capacity of %s: %s", r.Target, r.Verdict)
	reasons(d, r.Record)
	d.Say("Mode %s, connections %s, objectives of tier %s, host with %d CPUs.", r.Mode, connections(r.Reuse), r.Tier,
		r.HostCPUs)
	if n := len(r.Confirmations); r.Confirmed {
		d.Say("The capacity lies between %s, at which all %d confirmations held, and %s, at which the objectives were missed. "+
			"%d of %d says, with 95 %% confidence, that at least %.0f %% of such runs hold there (Clopper-Pearson).",
			render.Strong(capacity.PerSecond(r.Held)), n, capacity.PerSecond(r.Broken), n, n, 100*r.HoldsLower)
		d.Say("Over the confirmations p95 was %s ms and p99 %s ms.",
			between(r.Confirmations, func(p capacity.Point) float64 { return p.P95 }),
			between(r.Confirmations, func(p capacity.Point) float64 { return p.P99 }))
	}
	if r.Knee > 0 {
		d.Say("The p95 begins to rise steeply at %s (the knee).", capacity.PerSecond(r.Knee))
	}
	if picture != "" {
		d.Picture("Latency and CPU against rate", picture)
	}
	saturated(d, r)
	d.Title(2, "Every run")
	d.Table(capacityRuns(r.Points))
	ending(d, r.NotMeasured, r.Reproduce)
	return d
}

// capacityRuns has a row for each run of a search.
func capacityRuns(points []capacity.Point) render.Table {
	runs := render.Table{Head: []string{
		"phase", "offered", "achieved", "p50 ms", "p95 ms", "p99 ms", "OpenBao cores", "throttled", "PostgreSQL cores",
		"generator cores", "others' cores", "pool full", "outcome",
	}}
	for _, p := range points {
		pool, others := "–", "–"
		if p.Others != nil {
			others = fmt.Sprintf("%.2f", *p.Others)
		}
		if p.Pool != nil {
			pool = fmt.Sprintf("%.0f %%", 100*p.Pool.FullShare)
		}
		one := func(v float64) string { return fmt.Sprintf("%.1f", v) }
		cores := func(v float64) string { return fmt.Sprintf("%.2f", v) }
		runs.Add(p.Phase, capacity.PerSecond(p.Rate), one(p.Achieved), one(p.P50), one(p.P95), one(p.P99), cores(p.OpenBao.Cores),
			fmt.Sprintf("%.0f %%", 100*p.OpenBao.Throttled), cores(p.PostgreSQL.Cores), cores(p.Generator), others, pool,
			string(p.Outcome)+" "+p.Reason)
	}
	return runs
}

// saturated says what was saturated, with the evidence.
func saturated(d *render.Document, r *capacity.Report) {
	if len(r.Saturated) == 0 {
		return
	}
	table := render.Table{Head: []string{"resource", "use", "saturated", "evidence"}}
	for _, s := range r.Saturated {
		is := "no"
		if s.Saturated {
			is = render.Strong("yes")
		}
		table.Add(s.Resource, fmt.Sprintf("%.0f %%", 100*s.Use), is, s.Evidence)
	}
	d.Title(2, "What was saturated at %s", capacity.PerSecond(r.SaturatedAt))
	d.Table(table)
	if r.Broken > 0 && r.SaturatedAt > r.Broken {
		d.Say("At %s, the lowest rate that missed the objectives, nothing that was watched was saturated yet.",
			capacity.PerSecond(r.Broken))
	}
	if !slices.ContainsFunc(r.Saturated, func(s capacity.Suspect) bool { return s.Saturated }) {
		d.Say("Nothing that was watched was saturated: what limits is a wait, such as a lock or the way to the database, " +
			"or was not watched.")
	}
}

func between(points []capacity.Point, of func(capacity.Point) float64) string {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, p := range points {
		lo, hi = min(lo, of(p)), max(hi, of(p))
	}
	return fmt.Sprintf("%.1f to %.1f", lo, hi)
}

// curveOf is one line of a plot.
type curveOf struct {
	name   string
	colour color.Color
	of     func(capacity.Point) float64
}

// drawCapacity draws latency and CPU against the offered rate.
func drawCapacity(w io.Writer, format string, r *capacity.Report, curve []capacity.Point) error {
	title := fmt.Sprintf("%s, %s: capacity %s", r.Target, r.Mode, capacity.PerSecond(r.Held))
	latency, err := panel(title, "ms from the intended start", r.Held, curve, []curveOf{
		{"p50", render.Light, func(p capacity.Point) float64 { return p.P50 }},
		{"p95", render.Blue, func(p capacity.Point) float64 { return p.P95 }},
		{"p99", render.Dark, func(p capacity.Point) float64 { return p.P99 }},
	}, true)
	if err != nil {
		return err
	}
	cpu, err := panel("", "CPU cores", r.Held, curve, []curveOf{
		{"OpenBao", render.Blue, func(p capacity.Point) float64 { return p.OpenBao.Cores }},
		{"PostgreSQL", render.Orange, func(p capacity.Point) float64 { return p.PostgreSQL.Cores }},
		{"generator", render.Grey, func(p capacity.Point) float64 { return p.Generator }},
	}, false)
	if err != nil {
		return err
	}
	cpu.X.Label.Text = "offered fetches per second"
	return render.Draw(w, format, 20*vg.Centimeter, 18*vg.Centimeter, latency, cpu)
}

// panel draws lines over the rate, with the capacity marked. A logarithmic axis shows a latency
// that rises a hundredfold.
func panel(title, label string, held float64, curve []capacity.Point, lines []curveOf, logarithmic bool) (*plot.Plot,
	error,
) {
	p := render.NewPlot(title, label)
	p.Legend.Left, p.Legend.XOffs = true, vg.Points(6)
	lo, hi := math.Inf(1), 0.0
	for _, l := range lines {
		points := make(plotter.XYs, len(curve))
		for i, point := range curve {
			y := l.of(point)
			if logarithmic {
				y = max(y, 0.1)
			}
			points[i] = plotter.XY{X: point.Rate, Y: y}
			lo, hi = min(lo, y), max(hi, y)
		}
		if err := render.Line(p, l.name, l.colour, 2, points); err != nil {
			return nil, err
		}
	}
	if logarithmic {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	} else {
		lo = 0
	}
	if held > 0 {
		return p, render.Mark(p, "held", render.Amber, plotter.XY{X: held, Y: lo}, plotter.XY{X: held, Y: hi})
	}
	return p, nil
}
