package scenario

import (
	"context"
	"time"

	"gitlab.com/steamer/steamer/harness/wait"
)

// Convergence is what a scenario waits for.
type Convergence = wait.For

// MustConverge waits until probe has succeeded often enough in a row, returns the time that took,
// and fails the scenario when the deadline passes first.
func MustConverge(ctx context.Context, t T, c Convergence, probe func(context.Context) error) time.Duration {
	t.Helper()
	took, err := wait.Until(ctx, c, probe)
	if err != nil {
		t.Errorf("%v", err)
		t.FailNow()
	}
	return took
}

// Await is MustConverge that asks every Timeouts.Poll and takes the first success within limit.
func (e *Env) Await(ctx context.Context, t T, what string, limit time.Duration,
	probe func(context.Context) error,
) time.Duration {
	t.Helper()
	return MustConverge(ctx, t, Convergence{What: what, Interval: e.Timeouts.Poll, Deadline: limit}, probe)
}
