package hostcpu

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const stat = "cpu  1000 0 0 0 0 0 0 0 0 0\ncpu0 100 200 300 9999 8888 10 20 30 0 0\ncpu1 50 0 0 9999 0 0 0 0 0 0\ncpu2 7000 0 0 0 0 0 0 0 0 0\nintr 5 4\n"

func TestParse(t *testing.T) {
	t.Parallel()
	use, err := parse(stat, "Name:\tx\nCpus_allowed_list:\t0-1\n")
	require.NoError(t, err)
	require.InDelta(t, 6.6+0.5, use.Busy, 1e-9, "idle and iowait are not use, and other CPUs not ours")
	require.InDelta(t, 0.3, use.Interrupts, 1e-9)
	use, err = parse(stat, "Cpus_allowed_list:\t1,2\n")
	require.NoError(t, err)
	require.InDelta(t, 70.5, use.Busy, 1e-9)
	for _, bad := range [][2]string{
		{"", "Cpus_allowed_list:\t0\n"},
		{"cpu 1 2 3 4 5 6 7 8 9\n", "Cpus_allowed_list:\t0\n"},
		{"cpu0 1 2 3\n", "Cpus_allowed_list:\t0\n"},
		{"cpu0 a 2 3 4 5 6 7 8 9\n", "Cpus_allowed_list:\t0\n"},
		{stat, ""},
		{stat, "Cpus_allowed_list:\tall\n"},
		{stat, "Cpus_allowed_list:\t9\n"},
	} {
		_, err := parse(bad[0], bad[1])
		require.Error(t, err, bad)
	}
}

// FuzzParse: what parses is finite use.
func FuzzParse(f *testing.F) {
	f.Add(stat, "Cpus_allowed_list:\t0-1,3\n")
	f.Fuzz(func(t *testing.T, stat, status string) {
		if use, err := parse(stat, status); err == nil {
			require.GreaterOrEqual(t, use.Busy, use.Interrupts)
		}
	})
}

// TestRead reads this very machine, which has been used.
func TestRead(t *testing.T) {
	t.Parallel()
	use, err := Read()
	require.NoError(t, err)
	require.Positive(t, use.Busy)
}
