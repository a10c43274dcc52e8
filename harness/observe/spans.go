package observe

import (
	"context"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// period is how often the scripts look.
const period = time.Second

// Started and Ended are how many samples Outlast has to wait for: after Start, so that a sample has one before it, and at the end of what is measured.
const (
	Started = 3
	Ended   = 1
)

// Outlast waits until that many samples are taken, or until ctx ends. What was measured before the first and after the last sample is in none, which
// for a few seconds of load is a large part.
func (o *Observer) Outlast(ctx context.Context, samples int) {
	timer := time.NewTimer(time.Duration(samples)*period + period/4)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Since returns the series and the events from a time on, while sampling goes on. Of each series the last two samples before are there, too,
// because a sample stands for the time since the one before it.
func (o *Observer) Since(from time.Time) ([]result.ResourceSeries, []result.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []result.ResourceSeries
	for _, s := range o.series {
		out := s.out
		first := slices.IndexFunc(out.Samples, func(x result.ResourceSample) bool { return !x.At.Before(from) })
		if first < 0 {
			continue
		}
		out.Samples = slices.Clone(out.Samples[max(0, first-2):])
		all = append(all, out)
	}
	sortSeries(all)
	events := slices.DeleteFunc(o.pods.events(), func(e result.Event) bool { return e.At.Before(from) })
	return all, events
}
