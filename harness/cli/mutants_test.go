package cli_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

func TestMutantsInput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"no such mutant": {[]string{"--run", "^moon"}, []string{"--run ^moon", "no mutant's ID matches", "--list"}},
		"expression":     {[]string{"--run", "("}, []string{"--run (", "missing closing"}},
		"page": {[]string{"--markdown", "/nowhere/page.md"}, []string{
			"--markdown /nowhere/page.md",
			"no such file",
		}},
		"record": {[]string{"--json", "/nowhere/mutants.json"}, []string{
			"--json /nowhere/mutants.json",
			"no such file",
		}},
		"source tree": {[]string{"--root", "/"}, []string{"source tree"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cache := filepath.Join(t.TempDir(), "cache")
			got := steamer(t, cache, append([]string{"mutants"}, c.args...)...)
			require.Equal(t, exit.Invalid, got.code, got.stderr)
			for _, text := range c.want {
				require.Contains(t, got.stderr, text)
			}
			require.NoDirExists(t, cache)
		})
	}
	got := steamer(t, t.TempDir(), "mutants", "--list", "--local")
	require.Equal(t, exit.Pass, got.code)
	require.Contains(t, got.stdout, "jobs-may-list")
	require.NotContains(t, got.stdout, "one-pod", "that one needs a cluster")
}
