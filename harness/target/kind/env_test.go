package kind

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
)

// TestBusiestSpanCounts has other processes use a machine for part of a watch only.
func TestBusiestSpanCounts(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	at := func(second int) time.Time { return began.Add(time.Duration(second) * time.Second) }
	for name, tc := range map[string]struct {
		from, to int // seconds in which others use 1.5 cores
		seconds  int // of the watch
		want     float64
	}{
		"never":                        {0, 0, 60, 0},
		"in one span of six":           {10, 20, 60, 1.5},
		"in parts of two spans":        {15, 25, 60, 0.75},
		"in the rest":                  {50, 64, 64, 1.5},
		"in a watch shorter than one":  {0, 4, 4, 1.5},
		"in half of a watch that long": {0, 2, 4, 0.75},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := &result.Topology{Load: &result.Load{}, Host: &result.ResourceSeries{}}
			node := result.ResourceSeries{Name: "node"}
			for i := range tc.seconds + 1 {
				all := 0.5
				if i > tc.from && i <= tc.to {
					all += 1.5
				}
				seen.Host.Samples = append(seen.Host.Samples, result.ResourceSample{At: at(i), CPUCores: all})
				node.Samples = append(node.Samples, result.ResourceSample{At: at(i), CPUCores: 0.5})
			}
			seen.Nodes = []result.ResourceSeries{node}
			require.InDelta(t, tc.want, busiest(seen, at(0), at(tc.seconds)), 0.01)
		})
	}
}
