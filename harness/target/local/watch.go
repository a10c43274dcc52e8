package local

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gitlab.com/steamer/steamer/harness/observe/proc"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target"
)

// sampleEvery is how often processes are read. The kernel accounts in ticks of 10 ms, 0.4 % of one
// core over a slice of 2.5 s.
const (
	sampleEvery = 500 * time.Millisecond
	turnSample  = 100 * time.Millisecond // where slices are short and follow one another
)

// watcher samples a target's processes until it is stopped.
type watcher struct {
	target *Target
	group  sync.WaitGroup
	cancel context.CancelFunc
	series []*series
	events []result.Event
	pool   *target.PoolUse
	gaps   []string
}

// series is one process's use, or that of a family of processes, with the counters of the last
// sample.
type series struct {
	out                result.ResourceSeries
	read               func() (cpuSeconds, memoryMiB float64, err error)
	gone               bool
	at                 time.Time
	cpu                float64
	periods, throttled float64
}

// watch begins to sample. PostgreSQL is its postmaster with its children.
func (t *Target) watch(ctx context.Context, every time.Duration) *watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{target: t, cancel: cancel}
	for i, node := range t.server.Nodes() {
		w.add("openbao", fmt.Sprintf("openbao-%d", i), func() (cpu, memory float64, err error) {
			s, err := proc.Read(node.PID())
			return s.CPU, s.ResidentMiB, err
		})
	}
	w.add("postgresql", "postgresql", func() (cpu, memory float64, err error) {
		return proc.Tree(t.server.DatabasePID())
	})
	w.sample(time.Now())
	w.group.Go(func() {
		ticker := time.NewTicker(every)
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
	if t.spec.WatchPool {
		w.group.Go(func() {
			use, err := t.watchPool(ctx)
			w.pool = &use
			if err != nil {
				w.gaps = append(w.gaps, fmt.Sprintf("connections of OpenBao to PostgreSQL: %v", err))
			}
		})
	}
	return w
}

func (w *watcher) add(component, name string, read func() (cpu, memory float64, err error)) {
	s := &series{out: result.ResourceSeries{Component: component, Name: name}, read: read}
	if component == "openbao" && w.target.limit != nil {
		s.out.CPULimit = w.target.limit.Cores()
	}
	w.series = append(w.series, s)
}

// stop ends sampling, with a last sample of now, and returns what was seen.
func (w *watcher) stop() target.Observation {
	w.cancel()
	w.group.Wait()
	w.sample(time.Now())
	info := w.target.Info()
	t := result.Topology{
		Name: info.Name, Versions: info.Versions, Images: map[string]string{}, Scenarios: []result.Scenario{},
		Checks: []result.Check{}, Reasons: []string{}, Events: w.events, NotMeasured: w.gaps,
	}
	for _, s := range w.series {
		t.Resources = append(t.Resources, s.out)
	}
	return target.Observation{Topology: t, Pool: w.pool}
}

// sample reads each process. One that is gone is an event: nothing restarts it, and the fetches
// that fail then are an outcome.
func (w *watcher) sample(now time.Time) {
	for _, s := range w.series {
		cpu, memory, err := s.read()
		switch {
		case err == nil:
			s.fold(now, cpu, memory, w.target)
		case !s.gone:
			s.gone = true
			w.events = append(w.events, result.Event{
				At: now.UTC(), Kind: "restart", Detail: fmt.Sprintf("process %s: %v", s.out.Name, err),
			})
		}
	}
}

// fold turns counters into rates. A process's first sample sets the base: it says from when on the
// next one counts.
func (s *series) fold(now time.Time, cpu, memory float64, t *Target) {
	periods, throttled := 0.0, 0.0
	if s.out.CPULimit > 0 {
		periods, throttled = t.limit.Periods()
	}
	sample := result.ResourceSample{At: now.UTC(), MemoryMiB: memory}
	if !s.at.IsZero() {
		elapsed := now.Sub(s.at).Seconds()
		if elapsed <= 0 {
			return
		}
		sample.CPUCores = max(0, cpu-s.cpu) / elapsed
		if n := periods - s.periods; n > 0 {
			sample.Throttled = min(1, max(0, throttled-s.throttled)/n)
		}
	}
	s.out.Samples = append(s.out.Samples, sample)
	s.at, s.cpu, s.periods, s.throttled = now, cpu, periods, throttled
}
