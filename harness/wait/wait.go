// Package wait waits until something holds, by trying again and again: the only way of
// waiting in Steamer.
package wait

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// defaultInterval is the pause between two attempts.
const defaultInterval = 200 * time.Millisecond

// For says what to wait for: Successes attempts in a row that succeed, Interval apart, within
// Deadline.
type For struct {
	What      string        // completes "waiting until ..."
	Successes int           // 0 is 1
	Interval  time.Duration // 0 is defaultInterval
	Deadline  time.Duration // 0 is the context's
	Each      time.Duration // bounds one attempt, so that one that hangs does not use up the deadline; 0 bounds none
}

// Until calls probe until it succeeded often enough in a row. It returns the time that took. When
// the deadline passes first, the error says how often it tried, how close it came and what the
// last attempt found that the deadline itself did not cut short; when ctx is cancelled, errors.Is
// finds context.Canceled in it.
func Until(parent context.Context, f For, probe func(context.Context) error) (time.Duration, error) {
	f.Successes = max(f.Successes, 1)
	if f.Interval <= 0 {
		f.Interval = defaultInterval
	}
	ctx := parent
	if f.Deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(parent, f.Deadline)
		defer cancel()
	}
	start := time.Now()
	ticker := time.NewTicker(f.Interval)
	defer ticker.Stop()
	var last error
	attempts, row, best := 0, 0, 0
	for {
		attempts++
		err := attempt(ctx, f.Each, probe)
		switch {
		case err == nil:
			row++
			best = max(best, row)
			if row == f.Successes {
				return time.Since(start), nil
			}
		case over(ctx) && last != nil:
			row = 0 // the deadline cut this attempt short; the one before says more
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
			last = errors.New("none, the attempts that were made succeeded")
		}
		err = fmt.Errorf("waiting until %s: gave up after %.1f s and %d attempts, %d of %d successes in a row; "+
			"last error: %w",
			f.What, time.Since(start).Seconds(), attempts, best, f.Successes, last)
		if parent.Err() != nil && !errors.Is(err, parent.Err()) {
			err = fmt.Errorf("%w: %w", parent.Err(), err)
		}
		return time.Since(start), err
	}
}

func attempt(ctx context.Context, limit time.Duration, probe func(context.Context) error) error {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	return probe(ctx)
}

// over reports whether ctx has ended, or ends now: rate limiters refuse to begin what cannot end
// in time before the context itself knows.
func over(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// Pause lets a length of time pass, for what only time brings. It returns ctx's error where that
// has ended.
func Pause(ctx context.Context, length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}
