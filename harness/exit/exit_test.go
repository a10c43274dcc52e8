package exit_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

func TestCodeOfFindsTheCodeThroughWrapping(t *testing.T) {
	t.Parallel()
	cause := errors.New("no space left")
	environment := exit.Environmentf("image node", "free some", "%w", cause)
	for name, tc := range map[string]struct {
		err  error
		want exit.Code
	}{
		"nil":     {nil, exit.Pass},
		"plain":   {cause, exit.Internal},
		"invalid": {exit.Invalidf("--tier 13", "use 12", "unknown"), exit.Invalid},
		"wrapped": {fmt.Errorf("run: %w", environment), exit.Environment},
		"joined":  {errors.Join(cause, environment), exit.Environment},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, exit.CodeOf(tc.err))
		})
	}
	require.ErrorIs(t, environment, cause)
}

func TestErrorNamesInputCauseAndMend(t *testing.T) {
	t.Parallel()
	require.Equal(t, "--tier 13: unknown\n  hint: use 12", exit.Invalidf("--tier 13", "use 12", "unknown").Error())
	require.Equal(t, "kind: gone", exit.Environmentf("kind", "", "gone").Error())
}
