package target

import (
	"context"
	"time"
)

// Round calls drive once for each of n targets, by number, with a pause before each, and ends at
// the first error or when ctx does. Callers turn the order round from one round to the next, so
// that a machine that becomes slower or faster favours no target.
func Round(ctx context.Context, n int, backwards bool, pause time.Duration, drive func(i int) error) error {
	for k := range n {
		i := k
		if backwards {
			i = n - 1 - k
		}
		if err := rest(ctx, pause); err != nil {
			return err
		}
		if err := drive(i); err != nil {
			return err
		}
	}
	return nil
}

// rest lets the machine settle.
func rest(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}
