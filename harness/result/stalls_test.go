package result_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
)

// TestStalls: the samples are those of a run at 150 fetches/s with a pool of 8, thinned out.
func TestStalls(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 26, 2, 25, 30, 0, time.UTC)
	use := func(samples ...result.DatabaseSample) *result.DatabaseUse {
		for i := range samples {
			samples[i].At = start.Add(time.Duration(i) * time.Second)
		}
		return &result.DatabaseUse{Samples: samples}
	}
	busy, waiting := result.DatabaseSample{Statements: 950, InTx: 6}, result.DatabaseSample{Statements: 2, InTx: 8}
	idle := result.DatabaseSample{Statements: 2}
	for name, tc := range map[string]struct {
		use  *result.DatabaseUse
		want []string
	}{
		"not observed": {nil, nil},
		"no samples":   {use(), nil},
		"under load":   {use(busy, busy, busy, busy, busy), nil},
		"idle":         {use(idle, idle, idle, idle, idle), nil},
		"a slow statement": {use(busy, result.DatabaseSample{InTx: 1, Running: 1}, result.DatabaseSample{
			InTx:    1,
			Running: 1,
		}, result.DatabaseSample{InTx: 1, Running: 1}, result.DatabaseSample{InTx: 1, Running: 1}, busy), nil},
		"short": {use(busy, waiting, waiting, busy), nil},
		"in the middle": {
			use(busy, waiting, waiting, waiting, waiting, busy),
			[]string{"stood still for 4 s: 8 transactions"},
		},
		"up to the end": {use(busy, waiting, waiting, waiting, waiting), []string{"stood still for 3 s: 8 transactions"}},
		"twice, one longer": {
			use(waiting, waiting, waiting, busy, waiting, waiting, waiting, waiting, waiting, busy),
			[]string{"for 3 s", "for 5 s"},
		},
	} {
		events := tc.use.Stalls()
		require.Len(t, events, len(tc.want), name)
		for i, want := range tc.want {
			require.Equal(t, "database", events[i].Kind, name)
			require.Contains(t, events[i].Detail, want, name)
		}
	}
}
