package cpulimit

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

// TestGroup makes a group as a container has it, or is told what would be needed.
func TestGroup(t *testing.T) {
	t.Parallel()
	g, err := New(0.25)
	if err != nil {
		require.Equal(t, exit.Environment, exit.CodeOf(err))
		require.ErrorContains(t, err, "run as root")
		return
	}
	require.Contains(t, g.String(), "0.25 cores")
	require.NoError(t, g.Set(0))
	require.Zero(t, g.Cores())
	require.Contains(t, g.String(), "no limit")
	for _, bad := range []float64{-1, 0.001, 5000} {
		require.Equal(t, exit.Invalid, exit.CodeOf(g.Set(bad)))
	}
	require.Zero(t, g.Cores(), "a refused limit changes nothing")
	all, throttled := g.Periods()
	require.Zero(t, all+throttled, "nothing ran in it")
	g.Remove()
	require.NoDirExists(t, g.dir)
	require.Error(t, g.Add(os.Getpid()), "the group is gone")
}

func TestQuota(t *testing.T) {
	t.Parallel()
	require.Equal(t, "25000", quota(0.25, "max"))
	require.Equal(t, "max", quota(0, "max"))
}
