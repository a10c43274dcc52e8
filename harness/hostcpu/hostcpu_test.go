package hostcpu

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	t.Parallel()
	busy, err := parse("cpu  100 200 300 9999 8888 10 20 30 0 0")
	require.NoError(t, err)
	require.InDelta(t, 6.6, busy, 1e-9, "idle and iowait are not use")
	for _, bad := range []string{"", "cpu0 1 2 3 4 5 6 7 8 9", "cpu 1 2 3", "cpu a 2 3 4 5 6 7 8 9"} {
		_, err := parse(bad)
		require.Error(t, err, bad)
	}
}

// TestBusy reads this very machine, which has been used.
func TestBusy(t *testing.T) {
	t.Parallel()
	busy, err := Busy()
	require.NoError(t, err)
	require.Positive(t, busy)
}
