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
	Probes int
	Failed int // Wrong included
	Wrong  int // failed with ErrWrong
	// Due is how many probes were due, one an interval: one that hung stands for those that it
	// held up. Lost is how many of them failed.
	Due, Lost   int
	Unavailable time.Duration // sum of the gaps
	Longest     time.Duration // the longest gap
	Last        error         // of the last failed probe
	Gaps        []Gap         // in the order of time
	Watched     time.Duration // how long the watch lasted
}

// Gap is a time without a probe that worked, in seconds.
type Gap struct {
	At      float64 `json:"at"` // after the watch began
	Seconds float64 `json:"seconds"`
}

// FailedPercent is the share of failed probes in those that are due in a window, or in all that
// were due where the watch lasted longer. What is due after the end of the watch counts as
// answered: the caller has seen that probes work again.
func (r Report) FailedPercent(interval, window time.Duration) float64 {
	due := max(r.Due, int(window/interval))
	if due == 0 {
		return 0
	}
	return 100 * float64(r.Lost) / float64(due)
}

// Watch probes in the background until it is stopped.
type Watch struct {
	interval time.Duration
	cancel   context.CancelFunc
	done     chan struct{}
	began    time.Time
	mu       sync.Mutex
	report   Report
	good     time.Time // end of the last success
	broken   bool      // a probe failed since then
}

// Start probes every interval, one after the other. A gap lasts from the end of
// the last success to the end of the next one and so is exact to about one
// interval plus one probe.
func Start(ctx context.Context, interval time.Duration, probe func(context.Context) error) *Watch {
	ctx, cancel := context.WithCancel(ctx)
	now := time.Now()
	w := &Watch{interval: interval, cancel: cancel, done: make(chan struct{}), began: now, good: now}
	go func() {
		defer close(w.done)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			began := time.Now()
			one, stop := context.WithTimeout(ctx, probeTimeout)
			err := probe(one)
			stop()
			if ctx.Err() != nil {
				return // cut short: says nothing
			}
			w.note(err, max(1, int(time.Since(began)/interval)))
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return w
}

// note records a probe that stands for as many as were due while it ran.
func (w *Watch) note(err error, due int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.report.Probes++
	w.report.Due += due
	if err != nil {
		w.broken = true
		w.report.Failed++
		w.report.Lost += due
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
		w.report.Gaps = append(w.report.Gaps, Gap{At: w.good.Sub(w.began).Seconds(), Seconds: gap.Seconds()})
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
	now := time.Now()
	w.close(now)
	w.report.Watched = now.Sub(w.began)
	return w.report
}
