package compare

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
)

// TestHalves: halves of a slice that are no medians are not held against each other; those that
// are, are.
func TestHalves(t *testing.T) {
	t.Parallel()
	for fetches, want := range map[int64]bool{300: false, 398: false, 400: true, 1200: true} {
		half := fetches / 2
		l := &result.Load{MeasuredSeconds: 10, Fetches: 2 * half, Series: []result.Interval{
			{Phase: "measure", Offset: 0, Fetches: half, P50: 5}, {Phase: "measure", Offset: 5, Fetches: half, P50: 50},
		}}
		s := slice(&result.Topology{Load: l}, judge.DefaultValidity())
		if want {
			require.Contains(t, s.Invalid, "steady missed", "%d fetches", fetches)
		} else {
			require.NotContains(t, s.Invalid, "steady missed", "%d fetches", fetches)
			require.Contains(t, s.Invalid, "observed missed", "the other conditions stay")
		}
	}
}

// TestSliceHasNumbersOnly: a reading that is not a number is missing, and does not keep a
// comparison from being written.
func TestSliceHasNumbersOnly(t *testing.T) {
	t.Parallel()
	d := result.Distribution{Count: 300, Mean: math.NaN(), P50: 1, P90: math.Inf(1), P95: -1}
	s := slice(&result.Topology{Load: &result.Load{MeasuredSeconds: 5, Fetches: 300, Intended: d, Actual: d}},
		judge.DefaultValidity())
	require.Equal(t, 1., s.Values["fetch_p50_ms"])
	for _, name := range []string{"fetch_mean_ms", "fetch_p90_ms", "fetch_p95_ms"} {
		require.NotContains(t, s.Values, name)
	}
}
