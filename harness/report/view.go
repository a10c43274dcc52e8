package report

import (
	"fmt"
	"sort"
	"strings"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
)

// view is one topology prepared for the templates.
type view struct {
	*result.Topology
	ID                      string
	Reasons                 []string
	Summary                 string // one sentence on the load
	SLOs, Validity          []checkView
	Groups                  []scenarioGroup
	Subjects                string // outcomes by subject
	OnlyFailed              bool   // there are so many scenarios that the failed ones are shown first, alone
	Passed, Failed, Skipped int
	Events                  []eventView
	Versions, Images        []row
	Statuses                []row
	Costs                   []row // what a fetch cost, and why a cost is not known
	Charts                  *charts
	LatencyTable            render.Table
	ResourceTable           render.Table
	Errors                  []row // of fetches and of single requests
	Parts, Stages           render.Table
	Trouble                 string // where an excursion broke
}

// checkView adds the bar: the measured value's share of the limit, in %.
type checkView struct {
	result.Check
	Badge    string // PASS, FAIL, INCONCLUSIVE or INFO
	Used     float64
	Bar      bool
	Headroom string
}

type eventView struct {
	result.Event
	When  string // relative to the start of the load
	Label string
}

func newView(t *result.Topology) view {
	v := view{
		Topology: t, Reasons: typesetAll(t.Reasons), ID: slug(t.Name), Versions: sorted(t.Versions),
		Images: sorted(t.Images),
	}
	v.Passed, v.Failed, v.Skipped = t.Count()
	v.SLOs, v.Validity = newChecks(t.Checks)
	v.Groups, v.Subjects = groups(t.Scenarios), bySubject(t.Scenarios)
	v.OnlyFailed = v.Failed > 0 && len(t.Scenarios) >= manyScenarios
	for _, e := range t.Events {
		ev := eventView{Event: e, When: e.At.UTC().Format("15:04:05"), Label: e.Kind}
		if t.Load != nil {
			ev.When = fmt.Sprintf("%+.0f s", e.At.Sub(t.Load.Start).Seconds())
		}
		if e.Planned {
			ev.Label += ", planned"
		}
		v.Events = append(v.Events, ev)
	}
	sort.SliceStable(v.Events, func(i, j int) bool { return v.Events[i].At.Before(v.Events[j].At) })
	if l := t.Load; l != nil {
		v.Summary = fmt.Sprintf("Workload %q in mode %q against %s: %s of warm-up, %s.", l.Workload, l.Mode, l.Target,
			render.Span(l.WarmupSeconds), rateText(l)) + jobsText(l.Jobs)
		v.Errors, v.Parts, v.Stages, v.Trouble = errorRates(l), partsTable(l), stageTable(l), trouble(l)
		for s, n := range l.Statuses {
			v.Statuses = append(v.Statuses, row{Label: s, Cells: []string{render.Count(n)}})
		}
		sort.Slice(v.Statuses, func(i, j int) bool { return v.Statuses[i].Label < v.Statuses[j].Label })
	}
	v.Costs = costs(t)
	v.Charts = newCharts(t)
	v.LatencyTable = latencyTable(t.Load)
	v.ResourceTable = resourceTable(t)
	return v
}

// newChecks parts objectives from conditions of a valid measurement.
func newChecks(checks []result.Check) (slos, validity []checkView) {
	for _, c := range checks {
		if v := newCheck(c); c.Kind == "slo" {
			slos = append(slos, v)
		} else {
			validity = append(validity, v)
		}
	}
	return slos, validity
}

func newCheck(c result.Check) checkView {
	v := checkView{Check: c, Badge: string(c.Verdict)}
	v.Limit, v.Reason, v.Measured = typeset(c.Limit), typeset(c.Reason), measured(c)
	if c.Informational {
		v.Badge = "INFO"
	}
	if says := c.Measured + ", limit"; c.Verdict == result.Fail && strings.HasPrefix(c.Reason, says) {
		_, v.Reason, _ = strings.Cut(c.Reason, "; ") // what comes before it is in the columns
		v.Reason = typeset(v.Reason)
	}
	if c.Owner != "" && c.Verdict != result.Pass {
		v.Reason = "of the " + c.Owner + ": " + v.Reason
	}
	if c.Headroom != 0 {
		v.Bar, v.Used = true, bound(100*(1-c.Headroom))
		v.Headroom = render.Number(100*c.Headroom) + " % left"
		if c.Headroom < 0 {
			v.Headroom = render.Number(-100*c.Headroom) + " % over"
		}
	}
	return v
}

// measured is what a check measured, with the bounds by which it was judged.
func measured(c result.Check) string {
	b := c.Bounds
	switch {
	case b == nil:
		return c.Measured
	case b.Of == "mean":
		return fmt.Sprintf("%s (%s to %s)", c.Measured, render.Number(b.Lower), render.Number(b.Upper))
	}
	share := fmt.Sprintf("%s %% (%s to %s %%)", render.Number(100*b.Measured), render.Number(100*b.Lower),
		render.Number(100*b.Upper))
	if strings.HasSuffix(c.Measured, "%") { // the share itself
		return share
	}
	return c.Measured + ", above the limit " + share
}

// maxRows bounds the tables beside charts: enough to follow the course, few
// enough to be listened to.
const maxRows = 40

// latencyTable condenses the series into at most maxRows spans.
func latencyTable(l *result.Load) render.Table {
	t := render.Table{Head: []string{
		"Time", "Phase", "Fetches", "Failed", "p50", "p95, worst second",
		"p99, worst second",
	}}
	if l == nil || len(l.Series) == 0 {
		return t
	}
	per := (len(l.Series) + maxRows - 1) / maxRows
	for i := 0; i < len(l.Series); i += per {
		part := l.Series[i:min(i+per, len(l.Series))]
		var n, failed int64
		var p50, p95, p99 float64
		for _, iv := range part {
			n, failed = n+iv.Fetches, failed+iv.Failed
			p50 += iv.P50 * float64(iv.Fetches)
			p95, p99 = max(p95, iv.P95), max(p99, iv.P99)
		}
		t.Rows = append(t.Rows, []string{
			fmt.Sprintf("%.0f–%.0f s", part[0].Offset, part[len(part)-1].Offset+1), part[0].Phase, render.Count(n),
			render.Count(failed),
			latency(p50/float64(max(n, 1)), n), latency(p95, n), latency(p99, n),
		})
	}
	return t
}

// resourceTable summarises each container over the measured time.
func resourceTable(t *result.Topology) render.Table {
	out := render.Table{Head: []string{
		"Container", "Role", "Mean CPU", "CPU limit", "Peak memory", "Memory limit",
		"Throttled",
	}}
	if t.Load == nil {
		return out
	}
	w := t.Load.Measured()
	or := func(v float64, unit string) string {
		if v == 0 {
			return "none"
		}
		return render.Number(v) + unit
	}
	for i := range t.Resources {
		s := &t.Resources[i]
		used, covered := s.CPUSeconds(w)
		cpu, memory, throttled := notMeasured, notMeasured, notMeasured
		if covered > 0 {
			cpu = render.Number(used/covered) + " cores"
		}
		if peak, ok := s.PeakMemory(w); ok {
			memory = render.Number(peak) + " MiB"
		}
		if share, ok := s.MeanThrottled(w); ok {
			throttled = render.Number(100*share) + " %"
		}
		out.Rows = append(out.Rows, []string{
			s.Name, s.Role, cpu, or(s.CPULimit, " cores"), memory, or(s.MemoryLimit, " MiB"),
			throttled,
		})
	}
	return out
}
