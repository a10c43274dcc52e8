package cli

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/session"
)

// TestCommandLine has a real shell read the reproducing command back.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	args := []string{"run", "--set", "a=b c", "it's", "$HOME", "", "*", `back\slash`, "a;b", "plain", "日本"}
	line := (&State{Args: args}).CommandLine()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `steamer() { printf '%s\n' "$@"; }; `+line).Output()
	require.NoError(t, err)
	var want bytes.Buffer
	for _, arg := range args {
		want.WriteString(arg + "\n")
	}
	require.Equal(t, want.String(), string(out))
}

// TestConclude: a verdict becomes the exit code that judge.ExitCode gives, and an error stays
// itself where it has that code.
func TestConclude(t *testing.T) {
	t.Parallel()
	broken := exit.Environmentf("cluster", "", "gone")
	require.NoError(t, conclude(t.Context(), result.Pass, nil))
	require.Equal(t, broken, conclude(t.Context(), "", broken))
	require.Equal(t, broken, conclude(t.Context(), result.Inconclusive, broken))
	require.Equal(t, exit.Judged(exit.Inconclusive), conclude(t.Context(), result.Inconclusive, nil))
	both := conclude(t.Context(), result.Fail, broken)
	require.ErrorIs(t, both, exit.Judged(exit.Fail))
	require.ErrorIs(t, both, broken, "what kept the command from its end is printed")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, exit.Judged(exit.Fail), conclude(ended, result.Fail, context.Canceled))
}

// TestIsTerminal: a device is no terminal for being a device.
func TestIsTerminal(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	require.False(t, session.IsTerminal(null))
	require.False(t, session.IsTerminal(&bytes.Buffer{}))
}
