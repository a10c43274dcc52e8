package proc

import (
	"io/fs"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

const line = "42 (a) b (c)) S 7 1 1 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 9 0 100 1000 25 0"

func TestParseStat(t *testing.T) {
	t.Parallel()
	s, err := ParseStat(line)
	require.NoError(t, err)
	require.Equal(t, Stat{
		State: "S", Parent: 7, CPU: 2, Reaped: 0.5, Threads: 9, Start: "100",
		ResidentMiB: 25 * float64(os.Getpagesize()) / (1 << 20),
	}, s)
	for _, bad := range []string{
		"", "42 (a) S 7", "42 a S 7",
		"42 (a) S x 1 1 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 9 0 100 1000 25 0",
		"42 (a) S 7 1 1 0 -1 4194560 1 2 3 4 -150 50 30 20 20 0 9 0 100 1000 25 0",
	} {
		_, err := ParseStat(bad)
		require.Error(t, err, bad)
	}
}

// FuzzParseStat: what parses is finite and not negative.
func FuzzParseStat(f *testing.F) {
	f.Add(line)
	f.Add("1 () S -1")
	f.Fuzz(func(t *testing.T, line string) {
		if s, err := ParseStat(line); err == nil {
			require.True(t, s.CPU >= 0 && s.Reaped >= 0 && s.ResidentMiB >= 0, "%q: %+v", line, s)
		}
	})
}

// TestRead reads this very process, which has used something, and a child of it.
func TestRead(t *testing.T) {
	own, err := Read(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, own.ResidentMiB, 1.0)
	require.Positive(t, own.Threads)
	require.Positive(t, Own())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	require.Positive(t, Sockets(os.Getpid()))

	child := exec.Command("sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done")
	require.NoError(t, child.Run(), "its time is its parent's now")
	cpu, memory, err := Tree(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, cpu, own.CPU)
	require.Greater(t, memory, 1.0)

	_, err = Read(1 << 30)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, _, err = Tree(1 << 30)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Zero(t, Sockets(1<<30))
}
