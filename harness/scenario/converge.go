package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Convergence says what to wait for: Successes good looks in a row, Interval
// apart, within Deadline.
type Convergence struct {
	What      string        // completes "waiting until ..."
	Successes int           // 0 is 1
	Interval  time.Duration // 0 is 200 ms
	Deadline  time.Duration // 0 is the context's
}

// Converge calls probe until it succeeded often enough in a row. It returns the
// time that took. When the deadline passes first, the error says how often it
// looked, how close it came and what the last look found.
func Converge(ctx context.Context, c Convergence, probe func(context.Context) error) (time.Duration, error) {
	c.Successes = max(c.Successes, 1)
	if c.Interval <= 0 {
		c.Interval = 200 * time.Millisecond
	}
	if c.Deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Deadline)
		defer cancel()
	}
	start := time.Now()
	ticker := time.NewTicker(c.Interval)
	defer ticker.Stop()
	var last error
	attempts, row, best := 0, 0, 0
	for {
		attempts++
		err := probe(ctx)
		switch {
		case err == nil:
			row++
			best = max(best, row)
			if row == c.Successes {
				return time.Since(start), nil
			}
		case ctx.Err() != nil && errors.Is(err, ctx.Err()) && last != nil:
			row = 0 // the deadline cut this look short; the one before says more
		default:
			row, last = 0, err
		}
		select {
		case <-ticker.C:
			if ctx.Err() == nil {
				continue
			}
		case <-ctx.Done():
		}
		if last == nil {
			last = errors.New("none, the looks that were made succeeded")
		}
		return time.Since(start), fmt.Errorf(
			"waiting until %s: gave up after %.1f s and %d looks, %d of %d successes in a row; last error: %w",
			c.What, time.Since(start).Seconds(), attempts, best, c.Successes, last)
	}
}

// MustConverge fails the scenario when Converge does.
func MustConverge(ctx context.Context, t T, c Convergence, probe func(context.Context) error) time.Duration {
	t.Helper()
	took, err := Converge(ctx, c, probe)
	if err != nil {
		t.Errorf("%v", err)
		t.FailNow()
	}
	return took
}
