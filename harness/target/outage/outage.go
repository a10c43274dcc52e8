// Package outage measures from the outside how long something did not work.
package outage

import (
	"context"
	"errors"
	"sync"
	"time"
)

// probeTimeout bounds one probe; a hanging one counts as failed after it.
const probeTimeout = 2 * time.Second

// ErrWrong marks a probe that got an answer that must never be given.
var ErrWrong = errors.New("wrong answer")

// Report is what a Watch saw.
type Report struct {
	Probes      int
	Failed      int           // Wrong included
	Wrong       int           // failed with ErrWrong
	Unavailable time.Duration // sum of the gaps
	Longest     time.Duration // the longest gap
	Last        error         // of the last failed probe
}

// Watch probes in the background until it is stopped.
type Watch struct {
	cancel context.CancelFunc
	done   chan struct{}
	mu     sync.Mutex
	report Report
	good   time.Time // end of the last success
	broken bool      // a probe failed since then
}

// Start probes every interval, one after the other. A gap lasts from the end of
// the last success to the end of the next one and so is exact to about one
// interval plus one probe.
func Start(ctx context.Context, interval time.Duration, probe func(context.Context) error) *Watch {
	ctx, cancel := context.WithCancel(ctx)
	w := &Watch{cancel: cancel, done: make(chan struct{}), good: time.Now()}
	go func() {
		defer close(w.done)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			one, stop := context.WithTimeout(ctx, probeTimeout)
			err := probe(one)
			stop()
			if ctx.Err() != nil {
				return // cut short: says nothing
			}
			w.note(err)
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return w
}

func (w *Watch) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.report.Probes++
	if err != nil {
		w.broken = true
		w.report.Failed++
		w.report.Last = err
		if errors.Is(err, ErrWrong) {
			w.report.Wrong++
		}
		return
	}
	w.close(now)
	w.good = now
}

// close ends a gap, if there is one. The caller holds the lock.
func (w *Watch) close(now time.Time) {
	if w.broken {
		gap := now.Sub(w.good)
		w.report.Unavailable += gap
		w.report.Longest = max(w.report.Longest, gap)
		w.broken = false
	}
}

// Failed returns how many probes have failed so far.
func (w *Watch) Failed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.report.Failed
}

// Worked returns how many probes have succeeded so far.
func (w *Watch) Worked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.report.Probes - w.report.Failed
}

// Stop ends the probing and returns what it saw. A gap that is still open ends now.
func (w *Watch) Stop() Report {
	w.cancel()
	<-w.done
	w.mu.Lock()
	defer w.mu.Unlock()
	w.close(time.Now())
	return w.report
}
