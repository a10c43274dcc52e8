package session

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

// TestDirectories: a directory is named by its kind and the time, a fresh one is nobody else's,
// and one that cannot be made is bad input.
func TestDirectories(t *testing.T) {
	t.Parallel()
	output := filepath.Join(t.TempDir(), "runs")
	dir, err := Directory(output, "sizing")
	require.NoError(t, err)
	require.DirExists(t, dir)
	require.Regexp(t, `/runs/sizing-\d{8}-\d{6}$`, dir)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	one, err := FreshDirectory(output, "gate", at)
	require.NoError(t, err)
	other, err := FreshDirectory(output, "gate", at)
	require.NoError(t, err)
	require.NotEqual(t, one, other)
	require.Contains(t, one, "gate-20260102-030405-")
	file := filepath.Join(output, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = Directory(file, "x")
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	_, err = FreshDirectory(file, "x", at)
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
}

// TestWritable leaves no file that was not there, and keeps one that was.
func TestWritable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	absent, kept := filepath.Join(dir, "absent"), filepath.Join(dir, "kept")
	require.NoError(t, os.WriteFile(kept, []byte("x"), 0o600))
	require.NoError(t, Writable("--json", ""))
	require.NoError(t, Writable("--json", absent))
	require.NoFileExists(t, absent)
	require.NoError(t, Writable("--json", kept))
	text, err := os.ReadFile(kept)
	require.NoError(t, err)
	require.Equal(t, "x", string(text))
	err = Writable("--json", filepath.Join(dir, "none", "file"))
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	require.ErrorContains(t, err, "--json")
}
