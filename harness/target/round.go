package target

import (
	"context"
	"time"

	"gitlab.com/steamer/steamer/harness/wait"
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
		if err := wait.Pause(ctx, pause); err != nil {
			return err
		}
		if err := drive(i); err != nil {
			return err
		}
	}
	return nil
}
