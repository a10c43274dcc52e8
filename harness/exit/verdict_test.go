package exit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

func TestOfVerdict(t *testing.T) {
	t.Parallel()
	for verdict, want := range map[string]exit.Code{
		"PASS": exit.Pass, "FAIL": exit.Fail, "INCONCLUSIVE": exit.Inconclusive, "": exit.Inconclusive,
	} {
		require.Equal(t, want, exit.OfVerdict(verdict), verdict)
	}
}
