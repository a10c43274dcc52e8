package report

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
)

// page is a Result prepared for the templates: everything is text already,
// unescaped, so that each template escapes for its own format.
type page struct {
	*result.Result
	head
	Verdict     string
	When, Took  string
	Glance      []row
	Views       []view
	Steps       []step
	Lanes       []lane   // of installations that shared scenarios, and of loads
	Beside      []string // what went on beside a load
	Loaded      bool     // there was one
	Host        []row
	NotMeasured []string
}

// row is a line of a table: a label and one cell per topology, or one cell.
type row struct {
	Label string
	Note  string
	Cells []string
}

// step is a step on the time axis of the run, positions in % of its width.
type step struct {
	result.Step
	Took        string
	Left, Width float64
}

// head is what a page begins with.
type head struct {
	Lead      string   // what the verdict means for the reader
	Top, More []string // reasons
}

// newHead puts the first leadReasons of the reasons at the top.
func newHead(v result.Verdict, reasons []string, leads map[result.Verdict]string) head {
	n := min(len(reasons), leadReasons)
	return head{leads[v], reasons[:n], reasons[n:]}
}

// leadReasons is how many reasons stand beside the verdict; the rest folds away.
const leadReasons = 3

func newPage(r *result.Result) *page {
	p := &page{
		Result: r, Verdict: string(r.Verdict),
		When: render.Moment(r.Run.Started), Took: render.Span(r.Run.Finished.Sub(r.Run.Started).Seconds()),
	}
	reasons := typesetAll(r.Reasons)
	if r.Verdict == result.Pass {
		reasons = inTurn(reasons)
	}
	p.head = newHead(r.Verdict, reasons, map[result.Verdict]string{
		result.Pass:         "Every check that was judged held, and the measurement is valid.",
		result.Fail:         "Something that must hold did not. Do not ship before it is understood.",
		result.Inconclusive: "The run could not measure what it set out to measure. It says nothing for or against the chart.",
	})
	for i := range r.Topologies {
		v := newView(&r.Topologies[i])
		p.Views = append(p.Views, v)
		for _, s := range r.Topologies[i].NotMeasured {
			p.NotMeasured = append(p.NotMeasured, r.Topologies[i].Name+": "+s)
		}
	}
	p.NotMeasured = append(append([]string{}, r.NotMeasured...), p.NotMeasured...)
	p.Glance = glance(r)
	p.Steps = steps(r)
	p.Lanes = lanes(r)
	for i := range r.Topologies {
		p.Beside = append(p.Beside, r.Beside(&r.Topologies[i])...)
		p.Loaded = p.Loaded || r.Topologies[i].Load != nil
	}
	h := r.Run.Host
	p.Host = []row{
		{"Steamer", "", []string{r.Run.Steamer}},
		{"Operating system", "", []string{h.OS}},
		{"Kernel", "", []string{h.Kernel}},
		{"CPUs", "", []string{fmt.Sprint(h.CPUs)}},
		{"Memory", "", []string{render.Number(float64(h.MemoryMiB)/1024) + " GiB"}},
		{"Control groups", "", []string{h.Cgroup}},
		{"Container engine", "", []string{h.Engine}},
	}
	return p
}

// inTurn takes the reasons of the topologies in turn, so that the first few speak of all of them.
// Only good news is put in another order.
func inTurn(reasons []string) []string {
	var order []string
	of := map[string][]string{}
	for _, s := range reasons {
		name, _, _ := strings.Cut(s, ": ")
		if of[name] == nil {
			order = append(order, name)
		}
		of[name] = append(of[name], s)
	}
	out := make([]string, 0, len(reasons))
	for i := 0; len(out) < len(reasons); i++ {
		for _, name := range order {
			if i < len(of[name]) {
				out = append(out, of[name][i])
			}
		}
	}
	return out
}

func steps(r *result.Result) []step {
	var out []step
	for _, s := range r.Steps {
		v := step{Step: s, Took: render.Span(s.Seconds)}
		v.Left, v.Width = onAxis(r, s.Started, s.Seconds)
		out = append(out, v)
	}
	return out
}

// typeset writes comparisons the way readers do.
func typeset(s string) string { return strings.NewReplacer("<= ", "≤ ", ">= ", "≥ ").Replace(s) }

func typesetAll(list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, typeset(s))
	}
	return out
}

func bound(percent float64) float64 { return min(max(percent, 0), 100) }

// glance compares the topologies in one table.
func glance(r *result.Result) []row {
	var out []row
	for _, l := range glanceLines() {
		w := row{Label: l.label, Note: l.note}
		for i := range r.Topologies {
			w.Cells = append(w.Cells, l.cell(&r.Topologies[i]))
		}
		if slices.ContainsFunc(w.Cells, func(s string) bool { return !slices.Contains(nothing(), s) }) {
			out = append(out, w)
		}
	}
	return out
}

// glanceLine is a row of the glance: what it says of a topology.
type glanceLine struct {
	label, note string
	cell        func(*result.Topology) string
}

// ofLoad is a cell about a topology's load.
func ofLoad(f func(*result.Topology, *result.Load) string) func(*result.Topology) string {
	return func(t *result.Topology) string {
		if t.Load == nil {
			return noLoad
		}
		return f(t, t.Load)
	}
}

// cpuCell is the cell about a component's CPU time per fetch.
func cpuCell(component string) func(*result.Topology) string {
	return ofLoad(func(t *result.Topology, _ *result.Load) string {
		if v, ok := t.CPUPerFetch(component); ok {
			return render.Milliseconds(v)
		}
		return notMeasured
	})
}

// glanceLines are the rows in their order.
func glanceLines() []glanceLine {
	return []glanceLine{
		{"Verdict", "", func(t *result.Topology) string { return string(t.Verdict) }},
		{"Scenarios", "", func(t *result.Topology) string {
			return bySubject(t.Scenarios)
		}},
		{"Fetches per second", "achieved of offered", ofLoad(func(_ *result.Topology, l *result.Load) string {
			if !rated(l) {
				return notMeasured
			}
			return render.Number(l.AchievedRate) + " of " + render.Number(l.OfferedRate)
		})},
		{"Fetches", "measured, without warm-up", ofLoad(func(_ *result.Topology, l *result.Load) string {
			return fmt.Sprintf("%s, %s failed, %s wrong", render.Count(l.Fetches), render.Count(l.Failed), render.Count(l.Wrong))
		})},
		{"Excursion", "beyond what is judged", ofLoad(excursionCell)},
		{"Requests", "repetitions included", ofLoad(requestsCell)},
		{"Latency", "from the intended start: p50, p95, p99", ofLoad(func(_ *result.Topology, l *result.Load) string {
			if l.Intended.Count == 0 {
				return notMeasured
			}
			return render.Milliseconds(l.Intended.P50) + " · " + render.Milliseconds(l.Intended.P95) + " · " +
				render.Milliseconds(l.Intended.P99)
		})},
		{"OpenBao CPU", "per fetch", cpuCell("openbao")},
		{"PostgreSQL CPU", "per fetch", cpuCell("postgresql")},
		{"PostgreSQL statements", "per fetch, BEGIN and ROLLBACK included", ofLoad(statements)},
		{"OpenBao memory", "largest working set of a pod", ofLoad(func(t *result.Topology, l *result.Load) string {
			peak, ok := t.PeakMemory("openbao", l.Whole())
			if !ok {
				return notMeasured
			}
			return render.Number(peak) + " MiB"
		})},
		{"Load generator", "share of the host's CPUs, peak memory", ofLoad(func(_ *result.Topology, l *result.Load) string {
			if l.Generator.CPUShare <= 0 {
				return notMeasured
			}
			return render.Number(100*l.Generator.CPUShare) + " % · " + render.Number(l.Generator.MaxRSSMiB) + " MiB"
		})},
	}
}

// noLoad is the cell of what only load measures.
const noLoad = "no load"

// nothing are cells that say nothing: a row of nothing else is left out.
func nothing() []string { return []string{noLoad, "none", "not counted"} }

// sorted returns the pairs of m as rows, by key.
func sorted(m map[string]string) []row {
	var out []row
	for k, v := range m {
		out = append(out, row{Label: k, Cells: []string{v}})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Label < out[j].Label })
	return out
}

// slug makes an HTML id of a topology's name.
func slug(s string) string {
	return "t-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(s))
}
