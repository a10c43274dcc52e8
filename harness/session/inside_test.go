package session

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/exit"
)

// TestRepeatable: what a second reading of the arguments would find empty is refused, wherever it
// stands in an argument.
func TestRepeatable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "values.yaml"), filepath.Join(dir, "pipe")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.NoError(t, unix.Mkfifo(pipe, 0o600))
	for _, arg := range []string{file, "--values=" + file, "/dev/null", "key=value", ""} {
		require.NoError(t, (&Session{Args: []string{"run", arg}}).repeatable(), arg)
	}
	for _, arg := range []string{pipe, "--values=" + pipe, "chart@" + file + "," + pipe} {
		err := (&Session{Args: []string{"run", arg}}).repeatable()
		require.Equal(t, exit.Invalid, exit.CodeOf(err), arg)
		require.ErrorContains(t, err, pipe)
	}
}
