package target_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/target"
)

func TestRound(t *testing.T) {
	t.Parallel()
	for backwards, want := range map[bool][]int{false: {0, 1, 2}, true: {2, 1, 0}} {
		var order []int
		require.NoError(t, target.Round(t.Context(), 3, backwards, 0, func(i int) error {
			order = append(order, i)
			return nil
		}))
		require.Equal(t, want, order)
	}
	full := errors.New("no more disk")
	calls := 0
	require.ErrorIs(t, target.Round(t.Context(), 3, false, 0, func(int) error { calls++; return full }), full)
	require.Equal(t, 1, calls)

	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, target.Round(ctx, 3, false, 0, func(int) error { calls++; cancel(); return nil }), context.Canceled)
	require.ErrorIs(t, target.Round(ctx, 3, false, time.Hour, func(int) error { calls++; return nil }), context.Canceled)
	require.Equal(t, 2, calls)
}
