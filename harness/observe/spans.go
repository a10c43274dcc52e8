package observe

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// period is how often the scripts take a sample.
const period = time.Second

// patience is how long Outlast waits for a sample: longer than a kubelet takes between two
// samples.
const patience = 20 * time.Second

// Outlast waits until every container of a component that is observed, and at least one, has a
// sample that was taken after now, or until ctx or its patience ends. What was measured before the
// first and after the last sample is in none, which for a few seconds of load is a large part.
func (o *Observer) Outlast(ctx context.Context, component string) {
	now := time.Now()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(period / 20)
	defer ticker.Stop()
	for !o.beyond(component, now) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// beyond reports whether the component's containers have samples after a time. One that had none
// for long has ended.
func (o *Observer) beyond(component string, at time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := false
	for _, s := range o.series {
		if s.out.Component != component || at.Sub(s.at) > patience {
			continue
		}
		if len(s.out.Samples) == 0 || !s.at.After(at) {
			return false
		}
		seen = true
	}
	return seen
}

// Err is why something is not observed any more; nil while everything is.
func (o *Observer) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return errors.Join(o.errs...)
}

// nodes are the series of the nodes, all of them.
func (o *Observer) nodes() []result.ResourceSeries {
	var all []result.ResourceSeries
	for _, s := range o.series {
		if s.out.Component == nodeComponent && len(s.out.Samples) > 0 {
			all = append(all, s.out)
		}
	}
	sortSeries(all)
	return all
}

// Since returns the series and the events from a time on, while sampling goes on. Of each series
// the last two samples before are there, too, because a sample stands for the time since the one
// before it. What runs and has no sample has a series without any.
func (o *Observer) Since(from time.Time) ([]result.ResourceSeries, []result.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []result.ResourceSeries
	running := map[string]bool{}
	for _, c := range o.pods.runningContainers() {
		running[c.Name] = true
	}
	for _, s := range o.series {
		out := s.out
		if out.Component == nodeComponent {
			continue
		}
		inPod := strings.Contains(out.Name, "/")
		first := slices.IndexFunc(out.Samples, func(x result.ResourceSample) bool { return !x.At.Before(from) })
		if first < 0 {
			continue
		}
		out.Samples = slices.Clone(out.Samples[max(0, first-2):])
		if inPod && !running[out.Name] {
			out.Ended = s.at.UTC()
		}
		all = append(all, out)
	}
	all = append(all, o.gaps(all)...)
	sortSeries(all)
	events := slices.DeleteFunc(o.pods.events(), func(e result.Event) bool { return e.At.Before(from) })
	return all, events
}
