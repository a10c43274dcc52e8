package outage_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/harness/target/outage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestWatch plays a service that fails from the 3rd to the 5th probe.
func TestWatch(t *testing.T) {
	t.Parallel()
	n, done := 0, make(chan struct{})
	var from, to time.Time
	w := outage.Start(t.Context(), 20*time.Millisecond, func(context.Context) error {
		n++
		switch n {
		case 2:
			from = time.Now()
		case 3, 4:
			return errors.New("down")
		case 5:
			return fmt.Errorf("stale: %w", outage.ErrWrong)
		case 6:
			to = time.Now()
		case 8:
			close(done)
		}
		return nil
	})
	<-done
	r := w.Stop()
	require.GreaterOrEqual(t, r.Probes, 7)
	require.Equal(t, 3, r.Failed)
	require.Equal(t, 1, r.Wrong)
	require.ErrorIs(t, r.Last, outage.ErrWrong)
	require.InDelta(t, to.Sub(from).Seconds(), r.Unavailable.Seconds(), 0.04)
	require.Equal(t, r.Unavailable, r.Longest)
	require.Len(t, r.Gaps, 1)
	require.InDelta(t, r.Longest.Seconds(), r.Gaps[0].Seconds, 1e-9)
	require.Positive(t, r.Gaps[0].At)
	require.Greater(t, r.Watched.Seconds(), r.Gaps[0].At+r.Gaps[0].Seconds)
}

// TestWatchOpenGap shows that an outage that never ended is not lost.
func TestWatchOpenGap(t *testing.T) {
	t.Parallel()
	failed := make(chan struct{}, 100)
	w := outage.Start(t.Context(), time.Millisecond, func(context.Context) error {
		select {
		case failed <- struct{}{}:
		default:
		}
		return errors.New("down")
	})
	for range 20 {
		<-failed
	}
	require.Greater(t, w.Stop().Unavailable, 15*time.Millisecond)
}
