package wait_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/wait"
)

func TestUntil(t *testing.T) {
	t.Parallel()
	fast := wait.For{What: "it holds", Successes: 3, Interval: time.Millisecond, Deadline: 2 * time.Second}
	pattern := []bool{true, true, false, true, true, true}
	attempts := 0
	_, err := wait.Until(t.Context(), fast, func(context.Context) error {
		attempts++
		if !pattern[attempts-1] {
			return errors.New("flapped")
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 6, attempts, "two successes before the flap do not count")

	fast.Deadline = 30 * time.Millisecond
	odd := false
	_, err = wait.Until(t.Context(), fast, func(context.Context) error {
		odd = !odd
		if odd {
			return errors.New("one pod, want two")
		}
		return nil
	})
	require.ErrorContains(t, err, "waiting until it holds")
	require.ErrorContains(t, err, "1 of 3 successes in a row")
	require.ErrorContains(t, err, "one pod, want two")

	// The deadline cuts an attempt short: the error of the one before is reported.
	first := true
	_, err = wait.Until(t.Context(), fast, func(ctx context.Context) error {
		if first {
			first = false
			return errors.New("the telling error")
		}
		<-ctx.Done()
		return ctx.Err()
	})
	require.ErrorContains(t, err, "the telling error")

	// An attempt that hangs is cut off, and the next one may work.
	attempts = 0
	_, err = wait.Until(t.Context(), wait.For{What: "it answers", Each: 5 * time.Millisecond, Deadline: time.Minute},
		func(ctx context.Context) error {
			if attempts++; attempts == 1 {
				<-ctx.Done()
			}
			return ctx.Err()
		})
	require.NoError(t, err)
	require.Equal(t, 2, attempts)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = wait.Until(ctx, wait.For{What: "x"}, func(ctx context.Context) error { return ctx.Err() })
	require.ErrorIs(t, err, context.Canceled)
}

func TestPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		require.NoError(t, wait.Pause(t.Context(), time.Minute))
		require.Equal(t, time.Minute, time.Since(began))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, wait.Pause(ctx, time.Minute), context.DeadlineExceeded)
		require.ErrorIs(t, wait.Pause(ctx, 0), context.DeadlineExceeded, "nothing waits after the end")
		require.Equal(t, time.Minute+time.Second, time.Since(began))
	})
}
