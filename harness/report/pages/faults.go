package pages

import (
	"cmp"
	"errors"
	"fmt"
	"image/color"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
)

// WriteFaults writes the judgement of a history into dir, which must exist: report.json, junit.xml
// with a case for each invariant, and violation-RULE.svg of the shortest violation of each.
func WriteFaults(dir string, r *check.Report) error {
	r = secret.Scrub(r)
	err := errors.Join(check.WriteFile(filepath.Join(dir, "report.json"), r),
		render.WriteFile(filepath.Join(dir, "junit.xml"), func(w io.Writer) error { return faultsJUnit(w, r) }))
	drawn := map[string]bool{}
	for i := range r.Violations {
		v := &r.Violations[i]
		if drawn[v.Rule] {
			continue
		}
		drawn[v.Rule] = true
		p, lanes := violationPlot(v)
		err = errors.Join(err, render.WriteFile(filepath.Join(dir, "violation-"+v.Rule+".svg"), func(w io.Writer) error {
			return render.Draw(w, "svg", 11*vg.Inch, vg.Length(lanes+4)*vg.Points(17), p)
		}))
	}
	return err
}

// faultsJUnit writes a case for each invariant. Without a violation they all share the run's
// verdict.
func faultsJUnit(w io.Writer, r *check.Report) error {
	suite := junit.Testsuite{
		Name: "faults, OpenBao " + r.History.Server, Time: render.Seconds(r.Finished.Sub(r.Started).Seconds()),
		Timestamp: render.Timestamp(r.Started),
	}
	for _, rule := range check.Rules() {
		verdict, reasons := r.Verdict, r.Reasons
		if r.Verdict == result.Fail {
			verdict, reasons = result.Pass, nil
		}
		if n := r.Rules[rule.ID]; n > 0 {
			verdict, reasons = result.Fail, []string{fmt.Sprintf("%d violations of: %s", n, rule.Promises)}
			for i := range r.Violations {
				if v := &r.Violations[i]; v.Rule == rule.ID {
					reasons = append(reasons, v.Where+": "+v.What)
				}
			}
		}
		suite.AddTestcase(render.VerdictCase(junit.Testcase{
			Name: rule.ID + " " + rule.Title, Classname: "faults", Time: render.Seconds(0),
		}, "invariant", verdict, reasons, string(result.Inconclusive)))
	}
	return render.Suites(w, "steamer faults", suite)
}

// lane is a row of a picture: an operation, or an event at one moment.
type lane struct {
	from, to float64 // milliseconds
	open     bool    // without an answer
	event    bool
	text     string
}

// lanesOf are the steps and moments of a violation in the order of time, from the first on.
func lanesOf(v *check.Violation) []lane {
	var lanes []lane
	for _, s := range v.Steps {
		l := lane{
			from: float64(s.Call) / 1000, to: float64(s.Return) / 1000, open: s.Return < 0, event: s.Client < 0,
			text: s.Text,
		}
		if s.Client >= 0 {
			l.text = fmt.Sprintf("client %d: %s", s.Client, s.Text)
		}
		if s.Pod >= 0 && !l.event {
			l.text += fmt.Sprintf(", by pod %d", s.Pod)
		}
		lanes = append(lanes, l)
	}
	for _, m := range v.Moments {
		at := float64(m.Time) / 1000
		lanes = append(lanes, lane{from: at, to: at, event: true, text: m.Text})
	}
	slices.SortStableFunc(lanes, func(a, b lane) int { return cmp.Compare(a.from, b.from) })
	for i := len(lanes) - 1; i >= 0; i-- {
		lanes[i].from, lanes[i].to = lanes[i].from-lanes[0].from, lanes[i].to-lanes[0].from
	}
	return lanes
}

// violationPlot draws a violation: time across, an operation or event a row, the first at the top.
func violationPlot(v *check.Violation) (p *plot.Plot, rows int) {
	p = render.NewPlot(render.Clean(fmt.Sprintf("%s (%s), %s: %s", v.Rule, v.Title, v.Where, v.What)), "")
	p.X.Label.Text = "ms"
	lanes, end := lanesOf(v), 1.0
	for _, l := range lanes {
		end = max(end, l.from, l.to)
	}
	var names plot.ConstantTicks
	for i, l := range lanes {
		y := float64(len(lanes) - 1 - i)
		names = append(names, plot.Tick{Value: y, Label: laneName(l.text)})
		until, shade, dots := l.to, color.Color(render.Blue), vg.Points(3)
		switch {
		case l.event:
			until, shade = l.from, eventColour(l.text)
			_ = render.Mark(p, "", shade, plotter.XY{X: l.from, Y: -0.5}, plotter.XY{X: l.from, Y: float64(len(lanes)) - 0.5})
		case l.open:
			until, shade = end, render.Grey
		}
		_ = render.Line(p, "", shade, dots, plotter.XYs{{X: l.from, Y: y}, {X: until, Y: y}}) // two finite points always do
	}
	p.Y.Tick.Marker, p.Y.Min, p.Y.Max, p.X.Min, p.X.Max = names, -0.5, float64(len(lanes))-0.5, 0, end
	return p, len(lanes)
}

// eventColour tells leaders and faults from the rest.
func eventColour(text string) color.Color {
	switch {
	case strings.Contains(text, " leads "):
		return render.Green
	case strings.HasPrefix(text, "fault "):
		return render.Amber
	default:
		return render.Red
	}
}

// laneName is a text that fits beside a picture.
func laneName(text string) string {
	const longest = 80
	runes := []rune(render.Clean(text))
	if len(runes) > longest {
		return string(runes[:longest-1]) + "…"
	}
	return string(runes)
}
