package compare

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/result"
)

// TestHalves: halves of a slice that are no medians are not held against each other; those that are, are.
func TestHalves(t *testing.T) {
	t.Parallel()
	for fetches, want := range map[int64]bool{300: false, 398: false, 400: true, 1200: true} {
		half := fetches / 2
		l := &result.Load{MeasuredSeconds: 10, Fetches: 2 * half, Series: []result.Interval{
			{Phase: "measure", Offset: 0, Fetches: half, P50: 5}, {Phase: "measure", Offset: 5, Fetches: half, P50: 50},
		}}
		s := Measurement{Load: l}.slice(gate.DefaultValidity())
		if want {
			require.Contains(t, s.Invalid, "steady missed", "%d fetches", fetches)
		} else {
			require.NotContains(t, s.Invalid, "steady missed", "%d fetches", fetches)
			require.Contains(t, s.Invalid, "observed missed", "the other conditions stay")
		}
	}
}
