package scenario

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"gitlab.com/steamer/steamer/harness/result"
)

// deal parts a list, by places in it, into what the first installation does first, what all take
// from in this order when they are free, and what the first does late. Scenarios that may run side
// by side are the first's, which has all the tenants; late are those that another topology may
// have tried, when that is known. The others keep their order on one installation; several take
// the longest first, unless the order was shuffled. On a shared cluster, what runs alone and what
// runs on each installation is left out.
func deal(list []Scenario, installations int, o Options) (first, single, late []int) {
	for i, s := range list {
		switch {
		case o.Stage != nil && (s.Alone != "" || s.Kind == Hygiene):
		case s.Parallel && o.Stage != nil && o.Elsewhere != nil && s.Subject == SubjectServer:
			late = append(late, i)
		case s.Parallel:
			first = append(first, i)
		default:
			single = append(single, i)
		}
	}
	if installations > 1 && o.Shuffle == 0 {
		slices.SortStableFunc(single, func(a, b int) int { return cmp.Compare(list[b].Expected, list[a].Expected) })
	}
	return first, single, late
}

// round runs every scenario once.
func (r *runner) round(ctx context.Context, list []Scenario) {
	leave := r.options.Stage.Join()
	defer leave()
	first, single, late := deal(list, len(r.shards), r.options)
	left := make(chan int, len(single))
	for _, i := range single {
		left <- i
	}
	close(left)
	r.each(func(shard *installation) {
		if shard.number == 1 {
			r.sideBySide(ctx, shard, first, list)
		}
		for i := range left {
			r.run(ctx, shard, i, list[i], false)
		}
	})
	leave() // what is late may wait for another topology, which may wait for this one
	r.sideBySide(ctx, r.shards[0], late, list)
	if !r.shared {
		return
	}
	r.options.Stage.await(ctx)
	for i, s := range list {
		if s.Alone != "" || r.disturbed[i] {
			r.run(ctx, r.shards[0], i, s, true)
		}
	}
	r.everywhere(ctx, list)
}

// each calls do for every installation, side by side.
func (r *runner) each(do func(*installation)) {
	if len(r.shards) == 1 {
		do(r.shards[0])
		return
	}
	var group sync.WaitGroup
	for _, shard := range r.shards {
		group.Go(func() { do(shard) })
	}
	group.Wait()
}

// sideBySide runs scenarios of a list, by their places in it, Options.Parallel at a time.
func (r *runner) sideBySide(ctx context.Context, shard *installation, places []int, list []Scenario) {
	var group sync.WaitGroup
	slots := make(chan struct{}, r.options.Parallel)
	for _, i := range places {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			r.run(ctx, shard, i, list[i], false)
		})
	}
	group.Wait()
}

// everywhere runs the scenarios that search what all others left behind, on each installation.
func (r *runner) everywhere(ctx context.Context, list []Scenario) {
	for i, s := range list {
		if s.Kind != Hygiene || s.Alone != "" {
			continue
		}
		outcomes := make([]result.Scenario, len(r.shards))
		r.each(func(shard *installation) { r.outcome(ctx, shard, s, &outcomes[shard.number-1], false) })
		r.results[i] = merge(outcomes)
		r.progress(s, &r.results[i])
	}
}

// gravity orders outcomes: of several the gravest counts.
func gravity(s result.Scenario) int {
	switch {
	case s.Status == result.Failed:
		return 3
	case s.Status == result.Skipped && s.Untried:
		return 2
	case s.Status == result.Skipped:
		return 1
	}
	return 0
}

// merge is the outcome of one scenario over all installations: the gravest. What was measured is
// summed up.
func merge(outcomes []result.Scenario) result.Scenario {
	if len(outcomes) == 1 {
		return outcomes[0]
	}
	worst := slices.MaxFunc(outcomes, func(a, b result.Scenario) int { return cmp.Compare(gravity(a), gravity(b)) })
	measured := map[string]float64{}
	var log, artifacts []string
	for _, one := range outcomes {
		for name, value := range one.Measured {
			measured[name] += value
		}
		for _, line := range one.Log {
			log = append(log, fmt.Sprintf("shard %d: %s", one.Shard, line))
		}
		artifacts = append(artifacts, one.Artifacts...)
		if end := one.Ended(); end.After(worst.Ended()) {
			worst.Seconds = end.Sub(worst.Started).Seconds()
		}
	}
	if worst.Reason != "" {
		worst.Reason = fmt.Sprintf("shard %d: %s", worst.Shard, worst.Reason)
	}
	worst.Log, worst.Artifacts, worst.Measured, worst.Shard = log, artifacts, nil, 0
	if len(measured) > 0 {
		worst.Measured = measured
	}
	return worst
}
