package trend_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/report/pages"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/trend"
)

// night is a result with the given mean latency.
func night(day int, mean float64, change func(*result.Result)) *result.Result {
	at := time.Date(2026, 9, 1, 2, 0, 0, 0, time.UTC).AddDate(0, 0, day)
	r := &result.Result{
		APIVersion: result.APIVersion, Kind: result.Kind, Verdict: result.Pass, Reasons: []string{}, Steps: []result.Step{},
		Run: result.Run{ID: fmt.Sprintf("night-%03d", day), Started: at, Profile: "steady", Tier: "12"},
		Topologies: []result.Topology{{
			Name: "cloud-native", Verdict: result.Pass, Chart: result.Chart{Name: "openbao", Version: fmt.Sprintf("0.%d.0",
				day)},
			Versions: map[string]string{"kubernetes": "v1.36.3"},
			Load: &result.Load{
				Mode: "inline", OfferedRate: 12, Fetches: 1000,
				Intended: result.Distribution{Count: 1000, Mean: mean, P50: mean, P95: 2 * mean, P99: 3 * mean},
			},
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
		_, err := trend.Append(dir, night(39-day, level*(1+0.03*rng.NormFloat64()), func(r *result.Result) {
			if day == 7 {
				r.Run.Partial = true
			}
			if day == 8 {
				r.Topologies[0].Checks = []result.Check{{ID: "valid/steady", Kind: "validity", Verdict: result.Inconclusive}}
			}
			if day == 10 { // the same every night on a small runner
				r.Topologies[0].Checks = []result.Check{{
					ID: "valid/host-size", Kind: "validity", Verdict: result.Inconclusive,
					Informational: true,
				}}
			}
			if day == 11 {
				r.Topologies[0].Checks = []result.Check{{
					ID: "valid/host-crowded", Kind: "validity", Verdict: result.Inconclusive,
					Informational: true,
				}}
			}
			if day == 9 {
				r.Run.Tier = "30" // something else was measured
			}
		}))
		require.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "other.json"), []byte(`{"kind": "Comparison"}`), 0o644))
	runs, err := trend.Read(dir)
	require.NoError(t, err)
	require.Len(t, runs, 40)
	require.True(t, runs[0].Run.Started.Before(runs[1].Run.Started))
	list, err := trend.Trends(runs, 0.05)
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
		const picture = "cloud-native-openbao-Kubernetes-1.36-steady-tier-12-inline-fetch_mean_ms."
		for _, format := range []string{"png", "svg"} {
			require.NoError(t, pages.WriteTrends(dir, format, []trend.Series{s}))
			info, err := os.Stat(filepath.Join(dir, picture+format))
			require.NoError(t, err)
			require.Greater(t, info.Size(), int64(2000))
			page, err := os.ReadFile(filepath.Join(dir, "trends.md"))
			require.NoError(t, err)
			require.Contains(t, string(page), "]("+picture+format+")")
		}
	}
	require.True(t, found)
	list, err = trend.Trends(runs, 0.5)
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, pages.TrendText(&text, list))
	require.NotContains(t, text.String(), "night-015", "a change of 20 %% is below 50 %%")
	require.Contains(t, text.String(), fmt.Sprintf("too few runs to see a change (1 of at least %d)", trend.LeastRuns()))
}

// TestSeriesAreOfOneThing changes one thing about the second of two nights.
func TestSeriesAreOfOneThing(t *testing.T) {
	t.Parallel()
	const usual = "cloud-native, openbao, Kubernetes 1.36, steady, tier 12, inline"
	for name, tc := range map[string]struct {
		change func(*result.Result)
		want   []string
	}{
		"nothing":       {func(*result.Result) {}, []string{usual}},
		"chart version": {func(r *result.Result) { r.Topologies[0].Chart.Version = "7.0.0" }, []string{usual}},
		"patch":         {func(r *result.Result) { r.Topologies[0].Versions["kubernetes"] = "v1.36.4" }, []string{usual}},
		"chart": {
			func(r *result.Result) { r.Topologies[0].Chart.Name = "vault" },
			[]string{usual, "cloud-native, vault, Kubernetes 1.36, steady, tier 12, inline"},
		},
		"Kubernetes": {
			func(r *result.Result) { r.Topologies[0].Versions["kubernetes"] = "v1.35.0" },
			[]string{"cloud-native, openbao, Kubernetes 1.35, steady, tier 12, inline", usual},
		},
		"odd Kubernetes": {
			func(r *result.Result) { r.Topologies[0].Versions["kubernetes"] = "main" },
			[]string{usual, "cloud-native, openbao, Kubernetes main, steady, tier 12, inline"},
		},
		"processes": {
			func(r *result.Result) { r.Topologies[0].Versions, r.Topologies[0].Chart.Name = nil, "" },
			[]string{usual, "cloud-native, steady, tier 12, inline"},
		},
		"rate": {
			func(r *result.Result) { r.Topologies[0].Load.OfferedRate = 1234.5 },
			[]string{"cloud-native, openbao, Kubernetes 1.36, steady, tier 12 at 1230/s, inline", usual},
		},
		"rounding": {func(r *result.Result) { r.Topologies[0].Load.OfferedRate = 12.000001 }, []string{usual}},
		"no tier": {
			func(r *result.Result) { r.Run.Tier = "" },
			[]string{"cloud-native, openbao, Kubernetes 1.36, steady, 12/s, inline", usual},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list, err := trend.Trends([]*result.Result{night(0, 5, nil), night(1, 5, tc.change)}, 0.05)
			require.NoError(t, err)
			var got []string
			for _, s := range list {
				if s.Metric == "fetch_mean_ms" {
					var text bytes.Buffer
					require.NoError(t, pages.TrendText(&text, []trend.Series{s}))
					for _, want := range tc.want {
						if strings.Contains(text.String(), want+"  ") {
							got = append(got, want)
						}
					}
					require.Len(t, s.Points, 3-len(tc.want))
				}
			}
			require.Equal(t, tc.want, got)
			dir := t.TempDir()
			require.NoError(t, pages.WriteTrends(dir, "svg", list))
			plots, err := filepath.Glob(filepath.Join(dir, "*.svg"))
			require.NoError(t, err)
			drawn := 0
			for _, s := range list {
				drawn += len(s.Points) / 2
			}
			require.Len(t, plots, drawn, "each series of two runs has a plot of its own")
		})
	}
}

// TestTooFewRuns: a short series must not look like one without changes.
func TestTooFewRuns(t *testing.T) {
	t.Parallel()
	least := trend.LeastRuns()
	require.Equal(t, 14, least, "2/C(14,7) is 0.0006 and 2/C(13,6) is 0.0012; docs/method.md says it as well")
	var runs []*result.Result
	for day := range least {
		runs = append(runs, night(day, 5, nil))
	}
	for n, want := range map[int]string{
		1: "too few runs to see a change (1 of at least 14)", least - 1: "too few runs to see a change (13 of at least 14)",
		least: "none",
	} {
		list, err := trend.Trends(runs[:n], 0.05)
		require.NoError(t, err)
		var text bytes.Buffer
		for _, s := range list {
			if s.Metric == "fetch_mean_ms" {
				require.NoError(t, pages.TrendText(&text, []trend.Series{s}))
			}
		}
		require.Contains(t, text.String(), want, "%d runs", n)
	}
}

// TestReadKnowsResults by what they hold, not by how they are laid out.
func TestReadKnowsResults(t *testing.T) {
	t.Parallel()
	path, err := trend.Append(t.TempDir(), night(1, 5, nil))
	require.NoError(t, err)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, whole))
	for name, tc := range map[string]struct {
		data []byte
		runs int
		want string // part of the error
	}{
		"as written":       {whole, 1, ""},
		"compacted":        {compact.Bytes(), 1, ""},
		"kind comes late":  {append([]byte("{"+strings.Repeat(" ", 1000)), whole[1:]...), 1, ""},
		"truncated":        {whole[:len(whole)/2], 0, "night.json: it is not a complete JSON document"},
		"truncated early":  {whole[:10], 0, "night.json: it is not a complete JSON document"},
		"empty":            {nil, 0, "night.json: it is not a complete JSON document"},
		"another kind":     {[]byte(`{"kind": "Comparison"}`), 0, trend.ErrEmpty.Error()},
		"mentions results": {[]byte(`{"about": {"kind": "Result"}}`), 0, trend.ErrEmpty.Error()},
		"a list":           {[]byte(`[{"kind": "Result"}]`), 0, trend.ErrEmpty.Error()},
		"kind is a number": {[]byte(`{"kind": 7}`), 0, trend.ErrEmpty.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "night.json"), tc.data, 0o644))
			runs, err := trend.Read(dir)
			require.Len(t, runs, tc.runs)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := trend.Read(dir)
	require.ErrorIs(t, err, trend.ErrEmpty)
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	_, err = trend.Read(filepath.Join(dir, "none"))
	require.Equal(t, exit.Invalid, exit.CodeOf(err))

	r := night(1, 5, nil)
	path, err := trend.Append(dir, r)
	require.NoError(t, err)
	_, err = trend.Append(dir, r)
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
		_, err = trend.Read(other)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), name)
		require.ErrorContains(t, err, "result.json", name)
	}
}
