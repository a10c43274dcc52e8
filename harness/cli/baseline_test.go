package cli_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

// TestBaselineOfAChart accepts the findings of a chart, finds no new ones, and then one.
func TestBaselineOfAChart(t *testing.T) {
	t.Parallel()
	chart := miniature(t, "dada: {}\n")
	path := filepath.Join(t.TempDir(), "accepted.yaml")
	soon := time.Now().Add(48 * time.Hour).UTC().Format(time.DateOnly)
	check := func(args ...string) outcome {
		return steamer(t, t.TempDir(), append([]string{"charts", "check"}, args...)...)
	}
	writes := func(more ...string) []string {
		return append([]string{
			chart, "--write-baseline", path, "--owner", "team-secrets", "--reason", "known upstream",
			"--expires", soon,
		}, more...)
	}
	for name, args := range map[string][]string{
		"no owner":           {chart, "--write-baseline", path, "--reason", "r", "--expires", soon},
		"no reason":          {chart, "--write-baseline", path, "--owner", "o", "--expires", soon},
		"expired":            {chart, "--write-baseline", path, "--owner", "o", "--reason", "r", "--expires", "2026-01-01"},
		"nothing to write":   {chart, "--owner", "o"},
		"baseline not there": {chart, "--baseline", path},
	} {
		require.Equal(t, exit.Invalid, check(args...).code, name)
		require.NoFileExists(t, path, name)
	}
	made := check(writes()...)
	require.Equal(t, exit.Pass, made.code, made.stdout+made.stderr)
	require.Contains(t, made.stdout, "accepted until "+soon+" by team-secrets: known upstream")
	require.Equal(t, exit.Invalid, check(writes()...).code, "it exists")
	require.Equal(t, exit.Pass, check(writes("--baseline", path)...).code, "the same command says so")
	require.Equal(t, exit.Pass, check(chart, "--baseline", path, "--strict").code)
	junit := check(chart, "--baseline", path, "--format", "junit")
	require.Equal(t, exit.Pass, junit.code)
	require.NotContains(t, junit.stdout, "<failure")

	template := filepath.Join(chart, "templates/a.yaml")
	text, err := os.ReadFile(template)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(template, append(text, []byte("dodo: {}\n")...), 0o600))
	worse := check(chart, "--baseline", path)
	require.Equal(t, exit.Fail, worse.code, "a new finding fails")
	require.Contains(t, worse.stdout, "1 errors")

	gate := steamer(t, t.TempDir(), "gate", "--from", recordedRun, recordedCheck, "--baseline", path, "--output",
		t.TempDir())
	require.Equal(t, exit.Invalid, gate.code, "it is of another chart: %s", gate.stderr)
}
