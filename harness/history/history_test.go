package history_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/result"
)

// night is a result with the given mean latency.
func night(day int, mean float64, change func(*result.Result)) *result.Result {
	at := time.Date(2026, 9, 1, 2, 0, 0, 0, time.UTC).AddDate(0, 0, day)
	r := &result.Result{
		APIVersion: result.APIVersion, Kind: result.Kind, Verdict: result.Pass, Reasons: []string{}, Steps: []result.Step{},
		Run: result.Run{ID: fmt.Sprintf("night-%03d", day), Started: at, Profile: "steady", Tier: "12"},
		Topologies: []result.Topology{{
			Name: "cloud-native", Verdict: result.Pass, Chart: result.Chart{Version: fmt.Sprintf("0.%d.0", day)},
			Load: &result.Load{Mode: "inline", Fetches: 1000, Intended: result.Distribution{Count: 1000, Mean: mean, P50: mean, P95: 2 * mean, P99: 3 * mean}},
		}},
	}
	if change != nil {
		change(r)
	}
	return r
}

func TestTrends(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	dir := t.TempDir()
	for day := range 40 {
		level := 5.0
		if day >= 25 {
			level = 6
		}
		_, err := history.Append(dir, night(39-day, level*(1+0.03*rng.NormFloat64()), func(r *result.Result) {
			if day == 7 {
				r.Run.Partial = true
			}
			if day == 8 {
				r.Topologies[0].Checks = []result.Check{{ID: "valid/steady", Kind: "validity", Verdict: result.Inconclusive}}
			}
			if day == 10 { // the same every night on a small runner
				r.Topologies[0].Checks = []result.Check{{ID: "valid/host-size", Kind: "validity", Verdict: result.Inconclusive, Informational: true}}
			}
			if day == 11 {
				r.Topologies[0].Checks = []result.Check{{ID: "valid/host-crowded", Kind: "validity", Verdict: result.Inconclusive, Informational: true}}
			}
			if day == 9 {
				r.Run.Tier = "30" // something else was measured
			}
		}))
		require.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "other.json"), []byte(`{"kind": "Comparison"}`), 0o644))
	runs, err := history.Read(dir)
	require.NoError(t, err)
	require.Len(t, runs, 40)
	require.True(t, runs[0].Run.Started.Before(runs[1].Run.Started))
	list, err := history.Trends(runs, 0.05)
	require.NoError(t, err)
	found := false
	for _, s := range list {
		if s.Metric == "openbao_cpu_ms_per_fetch" {
			require.Empty(t, s.Points, "nothing was observed")
			require.Positive(t, s.Skipped)
		}
		if s.Metric != "fetch_mean_ms" || s.Tier != "12" {
			continue
		}
		found = true
		require.Len(t, s.Points, 36)
		require.Equal(t, 3, s.Skipped)
		require.Len(t, s.Changes, 1)
		require.Equal(t, "night-015", s.Changes[0].First.Run, "days were counted backwards")
		require.InDelta(t, 5.0/6, s.Changes[0].Ratio(), 0.03)
		for _, format := range []string{"png", "svg"} {
			require.NoError(t, history.Plot(dir, format, s))
			info, err := os.Stat(filepath.Join(dir, history.PlotFile(s, format)))
			require.NoError(t, err)
			require.Greater(t, info.Size(), int64(2000))
		}
	}
	require.True(t, found)
	list, err = history.Trends(runs, 0.5)
	require.NoError(t, err)
	var text, md bytes.Buffer
	require.NoError(t, history.Text(&text, list))
	require.NotContains(t, text.String(), "night-015", "a change of 20 %% is below 50 %%")
	require.Contains(t, text.String(), "too few runs to say")
	require.NoError(t, history.Markdown(&md, list, func(s history.Series) string { return history.PlotFile(s, "svg") }))
	require.Contains(t, md.String(), "](cloud-native-steady-12-inline-fetch_mean_ms.svg)")
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := history.Read(dir)
	require.ErrorIs(t, err, history.ErrEmpty)
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	_, err = history.Read(filepath.Join(dir, "none"))
	require.Equal(t, exit.Invalid, exit.CodeOf(err))

	r := night(1, 5, nil)
	path, err := history.Append(dir, r)
	require.NoError(t, err)
	_, err = history.Append(dir, r)
	require.ErrorContains(t, err, "it exists")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, data := range map[string][]byte{
		"truncated": whole[:len(whole)/2],
		"version":   bytes.Replace(whole, []byte("steamer/v1"), []byte("steamer/v9"), 1),
		"empty":     nil,
	} {
		other := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(other, "result.json"), data, 0o644))
		_, err = history.Read(other)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), name)
		require.ErrorContains(t, err, "result.json", name)
	}
}
