package report

import (
	"fmt"
	"io"
	"strings"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
)

// benchstat writes each topology's load as one line of Go's benchmark format, with all that the
// line is about as configuration before it. The files of several runs one after the other are what
// benchstat compares: a run is one sample.
func benchstat(w io.Writer, r *result.Result) error {
	var b strings.Builder
	for i := range r.Topologies {
		t := &r.Topologies[i]
		if t.Load == nil {
			continue
		}
		if t.Load.Fetches == 0 { // what benchstat takes for a sample has to be one; this line it skips
			fmt.Fprintf(&b, "# %s: %s, no fetch was completed\n", render.Plain(t.Name), notMeasured)
			continue
		}
		for _, c := range [][2]string{
			{"chart", t.Chart.Name + " " + t.Chart.Version},
			{"openbao", t.Versions["openbao"]},
			{"postgresql", t.Versions["postgresql"]},
			{"kubernetes", t.Versions["kubernetes"]},
			{"steamer", r.Run.Steamer},
			{"cpus", fmt.Sprint(r.Run.Host.CPUs)},
		} {
			if value := render.Plain(c[1]); value != "" {
				fmt.Fprintf(&b, "%s: %s\n", c[0], value)
			}
		}
		fmt.Fprintf(&b, "BenchmarkFetch/topology=%s/mode=%s/profile=%s/tier=%s %d", word(t.Name), word(t.Load.Mode),
			word(r.Run.Profile), word(r.Run.Tier), t.Load.Fetches)
		for _, v := range benchValues(t) {
			fmt.Fprintf(&b, " %s %s", number(v.value), v.unit)
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

type benchValue struct {
	value float64
	unit  string
}

func benchValues(t *result.Topology) []benchValue {
	var values []benchValue
	if d := t.Load.Intended; d.Count > 0 {
		values = append(values, benchValue{d.Mean, "mean-ms"}, benchValue{d.P50, "p50-ms"}, benchValue{d.P90, "p90-ms"},
			benchValue{d.P95, "p95-ms"}, benchValue{d.P99, "p99-ms"})
	}
	values = append(values, benchValue{t.Load.AchievedRate, "fetches/s"}, benchValue{float64(t.Load.Failed), "failed"})
	for _, c := range []string{"openbao", "postgresql"} {
		if v, ok := t.CPUPerFetch(c); ok {
			values = append(values, benchValue{v, c + "-cpu-ms/fetch"})
		}
	}
	if t.Cost != nil && t.Cost.Statements != nil {
		values = append(values, benchValue{*t.Cost.Statements, "statements/fetch"})
	}
	return values
}

// number prints a value without an exponent, rounded to microseconds where it is milliseconds.
func number(v float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", v), "0"), ".")
}

// word makes s part of a benchmark's name, where neither spaces nor slashes may be.
func word(s string) string {
	if s = strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' || r == 0x7f {
			return '-'
		}
		return r
	}, render.Clean(s)); s == "" {
		return "unknown"
	}
	return s
}
