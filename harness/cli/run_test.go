package cli

import (
	"bytes"
	"context"
	"errors"
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

func TestConclude(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	broken := exit.Environmentf("cluster", "", "gone")
	for name, tc := range map[string]struct {
		ctx     context.Context
		verdict result.Verdict
		err     error
		want    exit.Code
	}{
		"pass":                  {t.Context(), result.Pass, nil, exit.Pass},
		"fail":                  {t.Context(), result.Fail, nil, exit.Fail},
		"inconclusive":          {t.Context(), result.Inconclusive, nil, exit.Inconclusive},
		"environment":           {t.Context(), result.Inconclusive, broken, exit.Environment},
		"a finding comes first": {t.Context(), result.Fail, broken, exit.Fail},
		"interrupted":           {cancelled, result.Inconclusive, broken, exit.Interrupted},
		"interrupted after it":  {cancelled, result.Fail, broken, exit.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := conclude(tc.ctx, tc.verdict, tc.err)
			var judged exit.Judged
			if errors.As(err, &judged) {
				require.Equal(t, tc.want, exit.Code(judged))
				return
			}
			require.Equal(t, tc.want, exit.CodeOf(err))
		})
	}
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
