package scenario

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// job is what one installation does without a pause: one scenario, or all those that may run side
// by side.
type job struct {
	list     []int // places in the round's list
	parallel bool
	expected time.Duration
}

// deal is what the installations take from, in this order: each takes the next when it is free. On
// one installation the scenarios keep their order, but for those that may run side by side, which
// come first. Several take the longest first, unless the order was shuffled. Scenarios that another
// topology may have tried come late, when that is known. On a shared cluster, what runs alone and
// what runs on each installation is left out.
func deal(list []Scenario, installations int, o Options) []job {
	var first, late job
	var single []job
	for i, s := range list {
		switch {
		case o.Stage != nil && (s.Alone != "" || s.Kind == Hygiene):
		case s.Parallel && o.Elsewhere != nil && s.Subject == SubjectServer:
			late.list, late.expected = append(late.list, i), late.expected+s.Expected
		case s.Parallel:
			first.list, first.expected = append(first.list, i), first.expected+s.Expected
		default:
			single = append(single, job{list: []int{i}, expected: s.Expected})
		}
	}
	if installations > 1 && o.Shuffle == 0 {
		slices.SortStableFunc(single, func(a, b job) int { return cmp.Compare(b.expected, a.expected) })
	}
	var all []job
	for _, batch := range []*job{&first, &late} {
		batch.parallel = true
		if batch == &late {
			all = append(all, single...)
		}
		if len(batch.list) > 0 {
			all = append(all, *batch)
		}
	}
	return all
}

// round runs every scenario once.
func (r *runner) round(ctx context.Context, list []Scenario) {
	leave := r.options.Stage.Join()
	defer leave()
	jobs := make(chan job, len(list))
	for _, j := range deal(list, len(r.shards), r.options) {
		jobs <- j
	}
	close(jobs)
	r.each(func(shard *installation) {
		for j := range jobs {
			r.do(ctx, shard, j, list)
		}
	})
	leave()
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

// do does a job on an installation.
func (r *runner) do(ctx context.Context, shard *installation, j job, list []Scenario) {
	if !j.parallel {
		i := j.list[0]
		r.run(ctx, shard, i, list[i], false)
		return
	}
	var group sync.WaitGroup
	slots := make(chan struct{}, r.options.Parallel)
	for _, i := range j.list {
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
		worst.Measured = maps.Clone(measured)
	}
	return worst
}
