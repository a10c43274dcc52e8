package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
)

// errorRates tells the errors of single requests from those of fetches; nil where they were not
// counted apart.
func errorRates(l *result.Load) []row {
	a := l.Attempts
	raw, ok := a.RawErrorRate()
	if !ok {
		return nil
	}
	seen := notMeasured + ": no fetch was completed"
	if l.Fetches > 0 {
		seen = ofAll(l.Failed, l.Fetches, float64(l.Failed)/float64(l.Fetches))
	}
	rows := []row{
		{Label: "Fetches that failed, as jobs see it", Cells: []string{seen}},
		{Label: "Requests that failed, before any repetition", Cells: []string{ofAll(a.Failed, a.Count, raw)}},
	}
	repeated := "off: a failed request is a failed fetch"
	if a.Repeats {
		repeated = fmt.Sprintf("on, as GitLab Runner: %s fetches repeated a request, %s of them succeeded",
			render.Count(a.Retried),
			render.Count(a.Rescued))
	}
	return append(rows, row{Label: "Repetitions", Cells: []string{repeated}})
}

func ofAll(n, all int64, share float64) string {
	return fmt.Sprintf("%s of %s (%s %%)", render.Count(n), render.Count(all), render.Number(100*share))
}

// partOrder lists steps in the order in which they happen; others follow by name.
func partOrder() []string {
	return []string{"connect", "tls", "first_byte", "login", "read", "revoke"}
}

// partsTable has the latency of what a load did and of its parts; no rows where neither was
// recorded.
func partsTable(l *result.Load) render.Table {
	t := render.Table{Head: []string{"Part", "Times", "Mean", "p50", "p95", "p99", "Largest"}}
	add := func(what string, parts map[string]result.Distribution) {
		rank := func(name string) int {
			if i := slices.Index(partOrder(), name); i >= 0 {
				return i
			}
			return len(partOrder())
		}
		for _, name := range slices.SortedFunc(maps.Keys(parts),
			func(a, b string) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a, b)) }) {
			d := parts[name]
			t.Rows = append(t.Rows, []string{
				what + strings.ReplaceAll(name, "_", " "), render.Count(d.Count), render.Milliseconds(d.Mean),
				render.Milliseconds(d.P50),
				render.Milliseconds(d.P95), render.Milliseconds(d.P99), render.Milliseconds(d.Max),
			})
		}
	}
	add("all of ", l.Kinds)
	add("", l.Steps)
	return t
}

// stageTable has how the load went in each stage; no rows where the rate stayed.
func stageTable(l *result.Load) render.Table {
	t := render.Table{Head: []string{
		"From", "Lasted", "Fetches/s offered", "Judged", "Fetches", "Failed", "Wrong", "Dropped",
		"p50", "p95",
	}}
	for _, s := range l.Stages {
		rate, judged := render.Number(s.From), "yes"
		if s.To != s.From {
			rate += " to " + render.Number(s.To)
		}
		if s.Excursion {
			judged = "wrong values only"
		}
		t.Rows = append(t.Rows, []string{
			fmt.Sprintf("%.0f s", s.At), render.Span(s.Seconds), rate, judged, render.Count(s.Fetches), render.Count(s.Failed),
			render.Count(s.Wrong),
			render.Count(s.Dropped), latency(s.P50, s.Fetches), latency(s.P95, s.Fetches),
		})
	}
	return t
}

// trouble says in a sentence where an excursion broke; empty without one.
func trouble(l *result.Load) string {
	if l.Excursion == nil {
		return ""
	}
	t, ok := l.FirstTrouble()
	if !ok {
		return "Every fetch of the excursion was answered, and every arrival could be started."
	}
	return fmt.Sprintf("The first arrivals that were not answered came %.0f s after the start, at %s fetches per second: %s failed and %s dropped in that second.",
		t.At, render.Number(t.Rate), render.Count(t.Failed), render.Count(t.Dropped))
}

// excursionCell is the glance at it.
func excursionCell(_ *result.Topology, l *result.Load) string {
	e := l.Excursion
	if e == nil {
		return "none"
	}
	return fmt.Sprintf("%s/s in the mean for %s: %s fetches, %s failed, %s wrong, %s dropped", render.Number(e.Offered),
		render.Span(e.Seconds), render.Count(e.Fetches), render.Count(e.Failed), render.Count(e.Wrong),
		render.Count(e.Dropped))
}

// requestsCell is the glance at single requests.
func requestsCell(_ *result.Topology, l *result.Load) string {
	raw, ok := l.Attempts.RawErrorRate()
	if !ok {
		return "not counted"
	}
	return fmt.Sprintf("%s, %s failed (%s %%)", render.Count(l.Attempts.Count), render.Count(l.Attempts.Failed),
		render.Number(100*raw))
}

// rateText is the offered rate in words.
func rateText(l *result.Load) string {
	if len(l.Stages) == 0 {
		return fmt.Sprintf("then %s at %s fetches per second offered", render.Span(l.MeasuredSeconds),
			render.Number(l.OfferedRate))
	}
	least, most := l.Stages[0].From, l.Stages[0].From
	for _, s := range l.Stages {
		least, most = min(least, s.From, s.To), max(most, s.From, s.To)
	}
	text := fmt.Sprintf("then %s in %s between %s and %s fetches per second offered", render.Span(l.Spent()),
		render.Plural(len(l.Stages), "stage"), render.Number(least), render.Number(most))
	if l.Excursion != nil {
		text += fmt.Sprintf(", of which %s are judged", render.Span(l.MeasuredSeconds))
	}
	return text
}
