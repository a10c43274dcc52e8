package cli_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

// TestChosenInPlan: a plan that leaves name and port open is printed as such, after what would be
// chosen; one that names both is printed alone.
func TestChosenInPlan(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	got := steamer(t, cache, "run", "--dry-run")
	require.Equal(t, exit.Pass, got.code, got.stderr)
	comment, plan, _ := strings.Cut(got.stdout, "\n")
	require.Regexp(t, `^# Chosen when it runs.*: cluster steamer-[0-9a-f]{6} and port 18\d{3}, or the next that are free\.$`, comment)
	require.NotContains(t, plan, "port:")
	require.NotContains(t, plan, "name: steamer")
	other := steamer(t, t.TempDir(), "run", "--dry-run")
	require.NotEqual(t, comment, strings.SplitN(other.stdout, "\n", 2)[0], "another cache is another owner")
	given := steamer(t, cache, "run", "--dry-run", "--cluster", "mine", "--port", freePort(t))
	require.Equal(t, exit.Pass, given.code, given.stderr)
	require.NotContains(t, given.stdout, "# Chosen")
	require.Contains(t, given.stdout, "name: mine")
}
