package load_test

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/hdr"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
	"gitlab.com/steamer/steamer/harness/result"
)

// second is a line with latencies in microseconds, from both starts alike, of fetches that worked
// and of fetches that failed.
func second(t testing.TB, ms int64, phase string, worked, failed []int64) string {
	t.Helper()
	hist := map[string]string{}
	for name, values := range map[string][]int64{
		"fetch":  append(append([]int64{}, worked...), failed...),
		"failed": failed,
	} {
		h := hdrhistogram.New(1, 600_000_000, 3)
		for _, v := range values {
			require.NoError(t, h.RecordValue(v))
		}
		if len(values) == 0 {
			continue
		}
		enc, err := hdr.Encode(h)
		require.NoError(t, err)
		hist[name+"_actual"], hist[name+"_intended"] = enc, enc
	}
	b, err := json.Marshal(map[string]any{
		"v": 1, "kind": "interval", "start_ms": ms, "end_ms": ms + 1000, "phase": phase, "hist": hist,
		"count": map[string]int{"fetches": len(worked) + len(failed), "failed": len(failed), "attempts": len(worked) +
			2*len(failed), "attempts_failed": 2 * len(failed)},
	})
	require.NoError(t, err)
	return string(b)
}

// TestAbove: each second has its fetches above each limit; a failed one is above however fast it
// failed, once, and so it stays through a merge.
func TestAbove(t *testing.T) {
	t.Parallel()
	p := plan()
	p.Thresholds = []result.Threshold{{From: result.FromIntended, Limit: 250}, {From: result.FromActual, Limit: 30}}
	part := func(segment string) string {
		return strings.Join([]string{
			share(segment),
			second(t, 1000, "warmup", []int64{900_000}, nil),
			second(t, 2000, "measure", []int64{10_000, 251_000, 40_000}, []int64{1000, 400_000}),
			second(t, 3000, "measure", []int64{249_000, 29_000}, nil),
			summary(""),
		}, "\n") + "\n"
	}
	l, err := loadtest.Parse(strings.NewReader(part("0:1")), p)
	require.NoError(t, err)
	require.Equal(t, p.Thresholds, l.Thresholds)
	require.Equal(t, [][]int64{{1, 1}, {3, 4}, {0, 1}}, [][]int64{l.Series[0].Above, l.Series[1].Above, l.Series[2].Above})
	require.InDelta(t, 139, l.Series[2].Mean, 0.1)
	require.InDelta(t, 139, l.Series[2].ActualMean, 0.1)
	require.Equal(t, [2]int64{7, 4}, [2]int64{l.Series[1].Attempts, l.Series[1].AttemptsFailed})

	var merged strings.Builder
	_, err = load.MergeLogs(&merged, []string{"a", "b"}, []io.Reader{
		strings.NewReader(part("0:1/2")), strings.NewReader(part("1/2:1")),
	})
	require.NoError(t, err)
	both, err := loadtest.Parse(strings.NewReader(merged.String()), p)
	require.NoError(t, err)
	require.Equal(t, [][]int64{{2, 2}, {6, 8}, {0, 2}}, [][]int64{
		both.Series[0].Above, both.Series[1].Above,
		both.Series[2].Above,
	})

	// What an older extension wrote does not tell failed fetches from others: unknown, and not 0.
	p.Duration = 1
	text := strings.Join([]string{
		header(), interval(2000, "measure", map[string]int64{"fetches": 2, "failed": 1}, 10_000, 20_000),
		interval(3000, "measure", map[string]int64{"fetches": 1}, 10_000),
		interval(4000, "measure", map[string]int64{"fetches": 2}, 10_000), summary(""),
	}, "\n")
	l, err = loadtest.Parse(strings.NewReader(text), p)
	require.NoError(t, err)
	require.Equal(t, [][]int64{nil, {0, 0}, nil}, [][]int64{l.Series[0].Above, l.Series[1].Above, l.Series[2].Above},
		"and so it is where a latency is missing")
}

// TestNotJudged: the record says what its profile does not judge.
func TestNotJudged(t *testing.T) {
	t.Parallel()
	l := &result.Load{}
	load.Job{Profile: load.Profile{NotJudged: []string{"fetch_p99_ms"}}}.Describe(l)
	require.Equal(t, []string{"fetch_p99_ms"}, l.NotJudged)
	const profile = `{apiVersion: steamer/v1, kind: Profile, name: p, workload: fetch, mode: inline, duration: 60s, rate: {tier: true}, connections: {reuse: false}, notJudged: %s}`
	for _, bad := range []string{"[wrong_values]", "[fetch_p99_ms, fetch_p99_ms]", "['']", "[openbao_memory_mib]"} {
		_, err := load.ParseProfile("p", []byte(strings.Replace(profile, "%s", bad, 1)))
		require.ErrorContains(t, err, "notJudged", bad)
	}
	_, err := load.ParseProfile("p", []byte(strings.Replace(profile, "%s", "[fetch_actual_p999_ms, error_rate]", 1)))
	require.NoError(t, err)
}
