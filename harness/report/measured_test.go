package report

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
)

// interrupted is a run that was stopped in the warm-up of its loads: there are seconds, but none
// that count.
func interrupted() *result.Result {
	r := syntheticRun(60, 12)
	r.Run.Partial = true
	for i := range r.Topologies {
		t := &r.Topologies[i]
		l := t.Load
		l.Series, l.Statuses, l.Partial = l.Series[:10], map[string]int64{}, "k6 stopped before the end: interrupted"
		l.MeasuredSeconds, l.AchievedRate, l.Fetches = 0, 0, 0
		l.Actual, l.Intended, l.Steps = result.Distribution{}, result.Distribution{}, nil
		l.Attempts = &result.Attempts{Count: 3}
		t.Cost = t.DeriveCost()
	}
	judgeSynthetic(r)
	return r
}

// TestNothingMeasuredIsNoFigure: a load without measured fetches has no latency and no rate, and
// above all not one of 0.
func TestNothingMeasuredIsNoFigure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		write  func(io.Writer, *result.Result) error
		want   []string
		absent string
	}{
		"openmetrics": {
			openMetrics,
			[]string{`steamer_fetches{topology="cloud-native"} 0.0`},
			`steamer_fetch_latency_milliseconds|steamer_fetch_rate`,
		},
		"benchstat": {
			benchstat,
			[]string{"# cloud-native: not measured", "# cloud-native-hybrid: not measured"},
			`(?m)^Benchmark|p50-ms`,
		},
		"gpt": {gptTable, []string{" | 12/s | not measured", "| not measured"}, `0\.00(ms|%|/s)`},
		"markdown": {runMarkdown, []string{
			"| **Latency** (from the intended start: p50, p95, p99) | not measured | not measured |",
			"| **Fetches per second** (achieved of offered) | not measured | not measured |",
			"| Fetches that failed, as jobs see it | not measured: no fetch was completed |",
		}, `0 ms · 0 ms|\| 0 of (12|0)\b`},
		"summary": {
			func(w io.Writer, r *result.Result) error { return Summary(w, r, false) },
			[]string{"not measured  (from the intended start: p50, p95, p99)", "not measured  (achieved of offered)"},
			`0 ms · 0 ms|Fetches per second +0 of`,
		},
		"html": {
			runHTML,
			[]string{
				"Latency over time, from the intended start. No fetch was measured.",
				"Latency by percentile. No fetch was measured.", "<td>not measured</td>",
			},
			`0 ms · 0 ms|median was 0 ms|p50 0 ms|<td>0 of (12|0)\b`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			require.NoError(t, c.write(&b, interrupted()))
			for _, want := range c.want {
				require.Contains(t, b.String(), want)
			}
			require.NotRegexp(t, c.absent, b.String())
		})
	}
	require.NoError(t, WriteAll(t.TempDir(), interrupted()), "plots included")
}

// TestLoadPerformanceWithoutFetches: GitLab gets a document, but no metric that was not measured.
// That a whole load completed nothing is a rate.
func TestLoadPerformanceWithoutFetches(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		load result.Load
		want string
	}{
		"stopped in the warm-up": {
			result.Load{Partial: "k6 stopped before the end", OfferedRate: 12},
			`{"metrics": {}}`,
		},
		"stopped before a stage ended": {
			result.Load{Partial: "k6 stopped before the end", MeasuredSeconds: 60},
			`{"metrics": {}}`,
		},
		"no measured time": {result.Load{}, `{"metrics": {}}`},
		"hung throughout": {
			result.Load{MeasuredSeconds: 60, OfferedRate: 12},
			`{"metrics": {"http_reqs": {"count": 0, "rate": 0}}}`,
		},
		"failed without a latency": {
			result.Load{MeasuredSeconds: 10, AchievedRate: 2, Fetches: 20, Failed: 20},
			`{"metrics": {"http_reqs": {"count": 20, "rate": 2}, "checks": {"passes": 0, "fails": 20, "value": 0}}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			require.NoError(t, loadPerformance(&b, &result.Topology{Load: &c.load}))
			require.JSONEq(t, c.want, b.String())
		})
	}
}

// TestReportSaysWhatJobsDid renders loads whose jobs were recorded, and one that was not.
func TestReportSaysWhatJobsDid(t *testing.T) {
	t.Parallel()
	for want, jobs := range map[string]*result.Jobs{
		"Jobs: from 50 tenants with 4 secrets each or more, chosen by uniform; a new connection for each fetch, nothing repeated; tokens signed by RS256.": {
			Choice: "uniform", Signing: "RS256", Tenants: 50, Secrets: 4,
		},
		"Jobs: from tenants that were not counted, chosen by hot; connections kept open, failed requests repeated; tokens signed by ES256.": {
			Choice: "hot", Signing: "ES256", Reuse: true, Retries: true,
		},
		"fetches/s": nil,
	} {
		r := syntheticRun(60, 12)
		for i := range r.Topologies {
			r.Topologies[i].Load.Jobs = jobs
		}
		var page bytes.Buffer
		require.NoError(t, runHTML(&page, r))
		require.Contains(t, page.String(), want)
		require.Equal(t, jobs != nil, bytes.Contains(page.Bytes(), []byte(" Jobs: from")))
	}
}
