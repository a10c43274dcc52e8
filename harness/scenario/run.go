package scenario

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"gitlab.com/steamer/steamer/harness/bao"
	"gitlab.com/steamer/steamer/harness/result"
)

// DefaultParallel is how many parallel scenarios run at a time.
const DefaultParallel = 4

// Interrupted is the reason of scenarios that did not finish because the run was cancelled.
const Interrupted = "interrupted"

// Options change how Run works.
type Options struct {
	Parallel int    // parallel scenarios at a time; 0 is DefaultParallel
	Repeat   int    // how often the whole list runs; 0 is once
	Shuffle  uint64 // seed of another order for each round; 0 keeps the order given
	// Progress is told when a scenario starts (r is nil) and when it ended. It is
	// never called concurrently and may be nil.
	Progress func(s Scenario, r *result.Scenario)
}

// Run runs scenarios on an environment: first those that may run side by side,
// then the others one by one, in order. It returns one result for each, in the
// order given, whatever happens: a panic is a failure with its stack, a passed
// budget is a failure, a cancelled ctx skips the rest as Interrupted. With
// Repeat the results of each round follow those of the one before.
// The error reports a defect in the list or the environment; then nothing ran.
func Run(ctx context.Context, env *Env, list []Scenario, o Options) ([]result.Scenario, error) {
	if err := Validate(list); err != nil {
		return nil, err
	}
	if env.Issuer == nil || env.Address == "" || len(env.Tenants) == 0 {
		return nil, errors.New("scenario environment: address, issuer and tenants must be set")
	}
	own := *env // the caller's stays as it is
	own.Timeouts = env.Timeouts.withDefaults()
	if own.Client == nil {
		own.Client = bao.New(env.Address, nil)
		defer own.Client.Close()
	}
	if o.Parallel <= 0 {
		o.Parallel = DefaultParallel
	}
	var all []result.Scenario
	for round := range max(1, o.Repeat) {
		order := slices.Clone(list)
		if o.Shuffle != 0 {
			random := rand.New(rand.NewPCG(o.Shuffle, uint64(round)))
			random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		r := &runner{env: &own, redact: own.Redactor(), options: o, results: make([]result.Scenario, len(order))}
		r.round(ctx, order)
		for i := range r.results {
			if o.Repeat > 1 {
				r.results[i].Round = round + 1
			}
		}
		all = append(all, r.results...)
	}
	return all, nil
}

// round runs every scenario once.
func (r *runner) round(ctx context.Context, list []Scenario) {
	var group sync.WaitGroup
	slots := make(chan struct{}, r.options.Parallel)
	for i, s := range list {
		if s.Parallel {
			slots <- struct{}{}
			group.Go(func() {
				defer func() { <-slots }()
				r.run(ctx, i, s)
			})
		}
	}
	group.Wait()
	for i, s := range list {
		if !s.Parallel {
			r.run(ctx, i, s)
		}
	}
}

type runner struct {
	env     *Env
	redact  *Redactor
	options Options
	results []result.Scenario
	mu      sync.Mutex // guards Progress
}

func (r *runner) run(ctx context.Context, i int, s Scenario) {
	out := &r.results[i]
	*out = result.Scenario{ID: s.ID, Title: s.Title, Protects: s.Protects}
	skip := r.env.skip(s)
	if skip == "" && ctx.Err() != nil {
		skip = Interrupted
	}
	if skip != "" {
		out.Status, out.Reason = result.Skipped, skip
	} else {
		r.progress(s, nil)
		start := time.Now()
		r.one(ctx, s, out)
		out.Seconds = time.Since(start).Seconds()
	}
	r.progress(s, out)
}

// one runs a scenario in a goroutine of its own, which FailNow ends.
func (r *runner) one(parent context.Context, s Scenario, out *result.Scenario) {
	ctx, cancel := context.WithTimeout(parent, s.Budget)
	defer cancel()
	rec, done := newRecorder(r.redact), make(chan struct{})
	go func() {
		defer close(done)
		defer rec.catch()
		s.Test(ctx, rec, r.env)
	}()
	stuck := !r.wait(ctx, done)
	late := errors.Is(ctx.Err(), context.DeadlineExceeded) && parent.Err() == nil
	var failed bool
	failed, out.Reason, out.Log, out.Measured = rec.seal()
	switch {
	case parent.Err() != nil:
		out.Status = result.Skipped
		if out.Reason != "" {
			out.Log = append(out.Log, "when interrupted: "+out.Reason)
		}
		out.Reason = Interrupted
	case late:
		out.Status = result.Failed
		why := fmt.Sprintf("the budget of %v passed", s.Budget)
		if stuck {
			why += fmt.Sprintf(" and it did not return within %v", r.env.Timeouts.Grace)
		}
		if out.Reason != "" {
			why += ": " + out.Reason
		}
		out.Reason = why
	case failed:
		out.Status = result.Failed
	default:
		out.Status = result.Passed
	}
}

// wait reports whether the scenario returned: until ctx ends, and for Grace after that.
func (r *runner) wait(ctx context.Context, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-ctx.Done():
	}
	grace := time.NewTimer(r.env.Timeouts.Grace)
	defer grace.Stop()
	select {
	case <-done:
		return true
	case <-grace.C:
		return false
	}
}

func (r *runner) progress(s Scenario, out *result.Scenario) {
	if r.options.Progress == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.options.Progress(s, out)
}
