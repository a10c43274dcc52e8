package gate_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/result"
)

// gates are metrics that decide, all with one margin.
func gates(margin float64, names ...string) (list []compare.GateMetric) {
	for _, name := range names {
		list = append(list, compare.GateMetric{Name: name, Margin: margin})
	}
	return list
}

// changed writes a copy of a record after a change of its JSON.
func changed(t *testing.T, path string, change func(map[string]any)) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	var doc map[string]any
	require.NoError(t, json.Unmarshal(raw, &doc))
	change(doc)
	raw, err = json.Marshal(doc)
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), filepath.Base(path))
	require.NoError(t, os.WriteFile(out, raw, 0o600))
	return out
}

// each applies a change to every topology of a run.
func each(change func(map[string]any)) func(map[string]any) {
	return func(doc map[string]any) {
		for _, t := range doc["topologies"].([]any) {
			change(t.(map[string]any))
		}
	}
}

// slowed has every fetch of a load of before December 2026 take so many ms.
func slowed(ms float64) func(map[string]any) {
	return each(func(top map[string]any) {
		l := of(top, "load")
		of(l, "intended")["mean"] = ms
		for _, iv := range l["series"].([]any) {
			for _, q := range []string{"p50", "p95", "p99", "max"} {
				of(map[string]any{"iv": iv}, "iv")[q] = ms
			}
		}
	})
}

// scenario changes the scenario with an ID.
func scenario(id, status, reason string) func(map[string]any) {
	return each(func(top map[string]any) {
		for _, s := range top["scenarios"].([]any) {
			if m := s.(map[string]any); m["id"] == id {
				m["status"], m["reason"] = status, reason
			}
		}
	})
}

func of(top map[string]any, key string) map[string]any { return top[key].(map[string]any) }

// decisive are metrics that decide, a noisy one among them.
func decisive() []string { return []string{"fetch_p50_ms", "fetch_p95_ms", "openbao_cpu_ms_per_fetch"} }

// compared writes a comparison of two charts as steamer compare does: 12 pairs in which the head
// takes ratio times as long, with a noise of 2 %, and another one in p95.
func compared(t *testing.T, ratio, p95 float64, digest string, change func(*compare.Comparison)) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	d := compare.DefaultDesign()
	d.Where, d.Tier, d.MaxPairs, d.InterimEvery = "cloud-native", "12", 12, 12
	d.GateMetrics = gates(0.10, decisive()...)
	c := compare.New("kept", d)
	c.A = compare.Subject{Description: "openbao 0.1.0", Chart: &result.Chart{
		Name: "openbao", Version: "0.1.0",
		Digest: "sha256:a",
	}}
	c.B = compare.Subject{Chart: &result.Chart{Name: "openbao", Version: "0.2.0", Digest: digest}}
	for range d.MaxPairs {
		slice := func(by float64) compare.Slice {
			s := compare.Slice{Fetches: 300, Values: map[string]float64{}}
			for _, name := range decisive() {
				noise := 0.02
				if name == "fetch_p95_ms" {
					noise = p95
				}
				s.Values[name] = by * math.Exp(noise*rng.NormFloat64()/math.Sqrt2)
			}
			return s
		}
		c.Pairs = append(c.Pairs, compare.Pair{Order: "AB", A: slice(1), B: slice(ratio)})
	}
	c.Finished, c.Partial = c.Started, false
	compare.Judge(c, nil)
	if change != nil {
		change(c)
	}
	raw, err := json.Marshal(c)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "comparison.json")
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	return path
}

// states has the file say another verdict than its pairs do.
func states(v result.Verdict) func(*compare.Comparison) {
	return func(c *compare.Comparison) { c.Verdict = v }
}

// quarantine writes one of p95, as steamer calibrate does.
func quarantine(t *testing.T, expires time.Time) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "quarantine.yaml")
	text := "apiVersion: steamer/v1\nkind: Quarantine\nmetrics:\n- metric: fetch_p95_ms\n  reason: 12 pairs could not " +
		"have shown less than 30 %\n" +
		"  since: " + expires.Add(-compare.LongestQuarantine).Format(time.RFC3339) + "\n  expires: " +
		expires.Format(time.RFC3339) + "\n"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
