package judge_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
)

func TestExitCode(t *testing.T) {
	t.Parallel()
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	broken := exit.Environmentf("engine", "", "gone")
	for name, tc := range map[string]struct {
		ctx     context.Context
		verdict result.Verdict
		err     error
		want    exit.Code
	}{
		"pass":                          {t.Context(), result.Pass, nil, exit.Pass},
		"fail":                          {t.Context(), result.Fail, nil, exit.Fail},
		"inconclusive":                  {t.Context(), result.Inconclusive, nil, exit.Inconclusive},
		"no verdict":                    {t.Context(), "", nil, exit.Inconclusive},
		"an error before the verdict":   {t.Context(), result.Inconclusive, broken, exit.Environment},
		"an error of no code":           {t.Context(), result.Pass, errors.New("disk full"), exit.Internal},
		"interrupted":                   {interrupted, result.Inconclusive, nil, exit.Interrupted},
		"interrupted, then an error":    {interrupted, result.Inconclusive, broken, exit.Interrupted},
		"interrupted after a pass":      {interrupted, result.Pass, nil, exit.Interrupted},
		"a FAIL before the interrupt":   {interrupted, result.Fail, nil, exit.Fail},
		"a FAIL whatever came after it": {interrupted, result.Fail, broken, exit.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, judge.ExitCode(tc.ctx, tc.verdict, tc.err))
		})
	}
}
