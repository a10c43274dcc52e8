package exit_test

import (
	"context"
	"errors"
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

func TestConclude(t *testing.T) {
	t.Parallel()
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	broken := exit.Environmentf("engine", "", "gone")
	for name, tc := range map[string]struct {
		ctx     context.Context
		verdict string
		err     error
		want    exit.Code
	}{
		"pass":                          {t.Context(), "PASS", nil, exit.Pass},
		"fail":                          {t.Context(), "FAIL", nil, exit.Fail},
		"inconclusive":                  {t.Context(), "INCONCLUSIVE", nil, exit.Inconclusive},
		"no verdict":                    {t.Context(), "", nil, exit.Pass},
		"no verdict, and an error":      {t.Context(), "", broken, exit.Environment},
		"an error before the verdict":   {t.Context(), "INCONCLUSIVE", broken, exit.Environment},
		"an error of no code":           {t.Context(), "PASS", errors.New("disk full"), exit.Internal},
		"interrupted":                   {interrupted, "INCONCLUSIVE", nil, exit.Interrupted},
		"interrupted, then an error":    {interrupted, "INCONCLUSIVE", broken, exit.Interrupted},
		"interrupted after a pass":      {interrupted, "PASS", nil, exit.Interrupted},
		"a FAIL before the interrupt":   {interrupted, "FAIL", nil, exit.Fail},
		"a FAIL whatever came after it": {interrupted, "FAIL", broken, exit.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, exit.CodeOf(exit.Conclude(tc.ctx, tc.verdict, tc.err)))
		})
	}
}
