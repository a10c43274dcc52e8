package lab

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// watcher samples a lab's processes once a second until it is stopped.
type watcher struct {
	lab    *Lab
	group  sync.WaitGroup
	cancel context.CancelFunc
	series map[string]*watched
	order  []string
	pool   PoolUse
	gaps   []error
}

// watched is one process's series with the counters of its last sample.
type watched struct {
	out                result.ResourceSeries
	at                 time.Time
	last               counters
	periods, throttled float64
}

// Watch samples the processes until the function it returns is called, for work other than k6's.
func (l *Lab) Watch(ctx context.Context) func() ([]result.ResourceSeries, PoolUse) {
	w := l.watch(ctx)
	return func() ([]result.ResourceSeries, PoolUse) {
		resources, pool, _ := w.stop()
		return resources, pool
	}
}

// watch begins to sample.
func (l *Lab) watch(ctx context.Context) *watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{lab: l, cancel: cancel, series: map[string]*watched{}}
	w.sample(time.Now())
	w.group.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				w.sample(now)
			}
		}
	})
	w.group.Go(func() {
		var err error
		if w.pool, err = l.watchPool(ctx); err != nil {
			w.gaps = append(w.gaps, fmt.Errorf("connections of OpenBao to PostgreSQL: %w", err))
		}
	})
	return w
}

// stop ends sampling; the last sample is of now.
func (w *watcher) stop() ([]result.ResourceSeries, PoolUse, []error) {
	w.cancel()
	w.group.Wait()
	w.sample(time.Now())
	var all []result.ResourceSeries
	for _, name := range w.order {
		all = append(all, w.series[name].out)
	}
	return all, w.pool, w.gaps
}

func (w *watcher) sample(now time.Time) {
	for i, node := range w.lab.Server.Nodes() {
		if use, err := processUse(node.PID()); err == nil {
			w.fold(now, result.ResourceSeries{Component: "openbao", Name: fmt.Sprintf("openbao-%d", i), CPULimit: w.lab.CPUs},
				use)
		}
	}
	if use, err := treeUse(w.lab.Server.DatabasePID()); err == nil {
		w.fold(now, result.ResourceSeries{Component: "postgresql", Name: "postgresql"}, use)
	}
}

// fold turns counters into rates. A process's first sample sets the base: it says from when on the
// next one counts.
func (w *watcher) fold(now time.Time, described result.ResourceSeries, use counters) {
	periods, throttled := 0.0, 0.0
	if described.CPULimit > 0 && w.lab.limit != nil {
		periods, throttled = w.lab.limit.Periods()
	}
	s, ok := w.series[described.Name]
	if !ok {
		described.Samples = []result.ResourceSample{{At: now.UTC(), MemoryMiB: use.memory}}
		w.series[described.Name] = &watched{out: described, at: now, last: use, periods: periods, throttled: throttled}
		w.order = append(w.order, described.Name)
		return
	}
	elapsed := now.Sub(s.at).Seconds()
	if elapsed <= 0 {
		return
	}
	sample := result.ResourceSample{At: now.UTC(), CPUCores: max(0, use.cpu-s.last.cpu) / elapsed, MemoryMiB: use.memory}
	if n := periods - s.periods; n > 0 {
		sample.Throttled = min(1, max(0, throttled-s.throttled)/n)
	}
	s.out.Samples = append(s.out.Samples, sample)
	s.at, s.last, s.periods, s.throttled = now, use, periods, throttled
}
