package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
)

// TestResourceLinesBreakOnlyWhereNothingWasSeen samples a little slower than
// once a second, as the observer does, with one real gap.
func TestResourceLinesBreakOnlyWhereNothingWasSeen(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := result.ResourceSeries{Component: "openbao", Name: "openbao"}
	for at := 0.0; at < 60; at += 1.07 {
		if at < 30 || at > 40 {
			s.Samples = append(s.Samples, result.ResourceSample{
				At:       start.Add(time.Duration(at * float64(time.Second))),
				CPUCores: at, MemoryMiB: 1,
			})
		}
	}
	top := &result.Topology{Load: &result.Load{Start: start, MeasuredSeconds: 60}, Resources: []result.ResourceSeries{s}}
	c := newCharts(top)
	require.Len(t, c.Res, 71)
	for i, x := range c.Res {
		switch v := c.CPU[0].V[i]; {
		case x >= 0 && x <= 29 || x >= 41 && x < 59:
			require.NotNil(t, v, "second %v", x)
			require.InDelta(t, x, *v, 2.2, "a value stays near its time")
			require.NotNil(t, c.Mem[0].V[i])
		case x < 0 || x > 31 && x < 40:
			require.Nil(t, v, "second %v", x)
		}
	}
}

// TestSecondInWhichThePhaseChanges has two intervals, which become one point.
func TestSecondInWhichThePhaseChanges(t *testing.T) {
	t.Parallel()
	var c charts
	c.latencies([]result.Interval{
		{Offset: 0, Phase: "warmup", Fetches: 9, P50: 1},
		{Offset: 1, Phase: "warmup", Fetches: 2, P50: 2, Failed: 1},
		{Offset: 1, Phase: "measure", Fetches: 7, P50: 3, Dropped: 2},
		{Offset: 2, Phase: "measure"},
	})
	require.Equal(t, []float64{0, 1, 2}, c.T)
	require.Equal(t, []float64{9, 9, 0}, c.Rate)
	require.Equal(t, []float64{0, 3, 0}, c.Failed)
	require.InDelta(t, 3, *c.P50[1], 0, "the quantiles of the larger part")
	require.Nil(t, c.P50[2], "no fetch, no latency")
}
