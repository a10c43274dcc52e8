package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
)

// TestResourceTable tells what was measured as 0 from what was not measured.
func TestResourceTable(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	every := func(from, to, step int, throttled float64) []result.ResourceSample {
		var out []result.ResourceSample
		for at := from; at <= to; at += step {
			out = append(out, result.ResourceSample{
				At: start.Add(time.Duration(at) * time.Second), CPUCores: 0.5,
				MemoryMiB: 100, Throttled: throttled,
			})
		}
		return out
	}
	for name, c := range map[string]struct {
		series result.ResourceSeries
		want   []string // mean CPU, its limit, peak memory, its limit, throttled
	}{
		"throttled": {
			result.ResourceSeries{CPULimit: 1, Samples: every(0, 60, 1, 0.25)},
			[]string{"0.5 cores", "1 cores", "100 MiB", "none", "25 %"},
		},
		"not throttled": {
			result.ResourceSeries{MemoryLimit: 400, Samples: every(0, 60, 1, 0)},
			[]string{"0.5 cores", "none", "100 MiB", "400 MiB", "0 %"},
		},
		"from a kubelet": {
			result.ResourceSeries{Coarse: true, Samples: every(0, 60, 15, 0)},
			[]string{"0.5 cores", "none", "100 MiB", "none", "not measured"},
		},
		"seen before only": {result.ResourceSeries{Samples: every(-30, -10, 1, 0)}, []string{
			"not measured", "none",
			"not measured", "none", "not measured",
		}},
		"never seen": {result.ResourceSeries{}, []string{
			"not measured", "none", "not measured", "none",
			"not measured",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.series.Name, c.series.Role = "pod", "active"
			got := resourceTable(&result.Topology{
				Load:      &result.Load{Start: start, MeasuredSeconds: 60},
				Resources: []result.ResourceSeries{c.series},
			})
			require.Equal(t, [][]string{append([]string{"pod", "active"}, c.want...)}, got.Rows)
		})
	}
}

// TestOwnerIsShown: a reader sees whose a missed condition is.
func TestOwnerIsShown(t *testing.T) {
	t.Parallel()
	missed := result.Check{
		Kind: "validity", Verdict: result.Inconclusive, Owner: result.OwnerSubject,
		Reason: "b leads after a",
	}
	require.Equal(t, "of the subject: b leads after a", newCheck(missed).Reason)
	missed.Verdict, missed.Reason = result.Pass, ""
	require.Empty(t, newCheck(missed).Reason)
}
