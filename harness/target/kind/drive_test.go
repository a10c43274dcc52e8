package kind

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/load/pods"
	"gitlab.com/steamer/steamer/harness/result"
)

// TestAccount: a load generator that was not observed makes the share of the host's CPUs unknown,
// unless the processes report it themselves.
func TestAccount(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	series := func(name string, seconds int) result.ResourceSeries {
		s := result.ResourceSeries{Component: pods.Component, Name: name}
		for i := range seconds {
			s.Samples = append(s.Samples, result.ResourceSample{
				At: start.Add(time.Duration(i) * time.Second), CPUCores: 0.2,
				MemoryMiB: 50,
			})
		}
		return s
	}
	for name, tc := range map[string]struct {
		resources []result.ResourceSeries
		own       float64 // CPU seconds of each process, by its own account
		share     float64
	}{
		"both observed":                      {[]result.ResourceSeries{series("a/k6", 21), series("b/k6", 21)}, 0, 0.1},
		"one in part":                        {[]result.ResourceSeries{series("a/k6", 21), series("b/k6", 9)}, 0, 0},
		"one never":                          {[]result.ResourceSeries{series("a/k6", 21)}, 0, 0},
		"one never, but they report":         {[]result.ResourceSeries{series("a/k6", 21)}, 6, 0.15},
		"neither observed, but they report":  {nil, 4, 0.1},
		"observed, whatever they report":     {[]result.ResourceSeries{series("a/k6", 21), series("b/k6", 21)}, 40, 0.1},
		"neither observed, and none reports": {nil, 0, 0},
	} {
		part := result.LoadPart{CPUSeconds: tc.own}
		l := &result.Load{Start: start, MeasuredSeconds: 20, Parts: []result.LoadPart{part, part}}
		account(&result.Topology{Load: l, Resources: tc.resources}, 4)
		require.InDelta(t, tc.share, l.Generator.CPUShare, 1e-9, name)
	}
}
