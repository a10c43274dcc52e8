package proc

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"
)

const stat = "cpu  1000 0 0 0 0 0 0 0 0 0\ncpu0 100 200 300 9999 8888 10 20 30 0 0\n" +
	"cpu1 50 0 0 9999 0 0 0 0 0 0\ncpu2 7000 0 0 0 0 0 0 0 0 0\nintr 5 4\n"

// machine makes a /proc with the two files.
func machine(t *testing.T, stat, status string) procfs.FS {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "7"), 0o755))
	require.NoError(t, os.Symlink("7", filepath.Join(dir, "self")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "stat"), []byte(stat), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "7", "status"), []byte(status), 0o600))
	all, err := procfs.NewFS(dir)
	require.NoError(t, err)
	return all
}

func TestHost(t *testing.T) {
	t.Parallel()
	use, err := host(machine(t, stat, "Name:\tx\nCpus_allowed_list:\t0-1\n"))
	require.NoError(t, err)
	require.InDelta(t, 6.6+0.5, use.Busy, 1e-9, "idle and iowait are not use, and other CPUs not ours")
	require.InDelta(t, 0.3, use.Interrupts, 1e-9)
	use, err = host(machine(t, stat, "Cpus_allowed_list:\t1,2\n"))
	require.NoError(t, err)
	require.InDelta(t, 70.5, use.Busy, 1e-9)
	for _, bad := range [][2]string{
		{"", "Cpus_allowed_list:\t0\n"},
		{"cpu 1 2 3 4 5 6 7 8 9\n", "Cpus_allowed_list:\t0\n"},
		{"cpu0 a 2 3 4 5 6 7 8 9\n", "Cpus_allowed_list:\t0\n"},
		{stat, ""},
		{stat, "Cpus_allowed_list:\t9\n"},
	} {
		_, err := host(machine(t, bad[0], bad[1]))
		require.Error(t, err, bad)
	}
	use, err = Host()
	require.NoError(t, err)
	require.Positive(t, use.Busy, "this very machine has been used")
}
