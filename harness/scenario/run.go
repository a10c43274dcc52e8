package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
)

// DefaultParallel is how many parallel scenarios run at a time.
const DefaultParallel = 4

// Interrupted is the reason of scenarios that did not finish because the run was cancelled.
const Interrupted = "interrupted"

// ErrAbandoned means that a scenario did not return after its budget. It may still change the
// environment, so nothing else may use it.
var ErrAbandoned = errors.New("a scenario did not return, and may still be changing the environment")

// errBudget is the cause of a context that ended because the budget passed.
var errBudget = errors.New("the budget passed")

// Options change how Run works.
type Options struct {
	Parallel int    // parallel scenarios at a time; 0 is DefaultParallel
	Repeat   int    // how often the whole list runs; 0 is once
	Shuffle  uint64 // seed of another order for each round; 0 keeps the order given
	// Elsewhere returns where a scenario was tried on the same subject, so that it is skipped
	// here, or "". With a Stage it may wait until that is known: such scenarios of the server come
	// late. It may be nil.
	Elsewhere func(s Scenario) string
	// Stage is the cluster that the installations share with others; nil where there are none.
	Stage *Stage
	// Progress is called when a scenario starts (r is nil) and when it ends, never concurrently.
	// It may be nil.
	Progress func(s Scenario, r *result.Scenario)
	// Round is called with the outcome of each round, counted from 1, when the list runs more than
	// once. It may be nil.
	Round func(number int, outcome []result.Scenario, took time.Duration)
}

// Run runs scenarios on an environment: first those that may run side by side,
// then the others one by one, in order. It returns one result for each, in the
// order given, whatever happens: a panic is a failure with its stack, a passed
// budget is a failure, a cancelled ctx skips the rest as Interrupted; what had
// failed by then has failed. With Repeat the results of each round follow those of the one before.
// After a scenario that does not return when its budget has passed, no other begins, and the
// results come with ErrAbandoned.
// Any other error reports a defect in the list or the environment; then nothing ran.
func Run(ctx context.Context, env *Env, list []Scenario, o Options) ([]result.Scenario, error) {
	return RunShards(ctx, []*Env{env}, list, o)
}

// RunShards is Run on several installations of the same topology, which share the scenarios: each
// takes the longest that is left when it is free. Then come, one by one, those that need the
// cluster alone and those that could not be judged beside others, and last, on each installation,
// those that search what all others left behind.
func RunShards(ctx context.Context, envs []*Env, list []Scenario, o Options) ([]result.Scenario, error) {
	if err := Validate(list); err != nil {
		return nil, err
	}
	if len(envs) > 1 && o.Stage == nil {
		o.Stage = NewStage()
	}
	var shards []*installation
	for i, env := range envs {
		own, closeEnv, err := env.Prepare()
		if err != nil {
			return nil, err
		}
		defer closeEnv()
		shards = append(shards, newInstallation(i+1, own, o.Stage))
	}
	if o.Parallel <= 0 {
		o.Parallel = DefaultParallel
	}
	var all []result.Scenario
	stuck := ""
	for round := range max(1, o.Repeat) {
		order := slices.Clone(list)
		if o.Shuffle != 0 {
			random := rand.New(rand.NewPCG(o.Shuffle, uint64(round)))
			random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		r := &runner{
			shards: shards, shared: o.Stage != nil, options: o, results: make([]result.Scenario, len(order)),
			disturbed: make([]bool, len(order)),
			stuck:     stuck,
		}
		began := time.Now()
		r.round(ctx, order)
		for i := range r.results {
			if o.Repeat > 1 {
				r.results[i].Round = round + 1
			}
		}
		if o.Repeat > 1 && o.Round != nil {
			o.Round(round+1, r.results, time.Since(began))
		}
		all, stuck = append(all, r.results...), r.stuck
		for _, shard := range shards {
			if shard.env.Logs != nil { // the next round does not search again what this one has
				shard.env.Logs.Forget()
			}
		}
	}
	if stuck != "" {
		return all, fmt.Errorf("%s: %w", stuck, ErrAbandoned)
	}
	return all, nil
}

// installation is one of those that share the scenarios.
type installation struct {
	number int // from 1
	env    *Env
	redact *secret.Redactor
	alone  bool // nothing goes on beside what runs here now
}

// newInstallation prepares an environment for running beside others on a stage. A measurement that
// misses a budget beside them says nothing about the chart, as if the machine had been busy.
func newInstallation(number int, env *Env, stage *Stage) *installation {
	shard := &installation{number: number, env: env, redact: env.Redactor()}
	watch := env.WatchMachine
	if stage == nil {
		return shard
	}
	env.WatchMachine = func(ctx context.Context) func() string {
		began, end := time.Now(), func() string { return "" }
		if watch != nil {
			end = watch(ctx)
		}
		return func() string {
			why := end()
			if why == "" && !shard.alone && stage.Beside(began) {
				why = "other scenarios ran beside it on the cluster"
			}
			return why
		}
	}
	return shard
}

type runner struct {
	shards    []*installation
	shared    bool // something else may go on on the cluster
	options   Options
	results   []result.Scenario
	disturbed []bool     // scenarios that could not be judged beside others
	mu        sync.Mutex // guards Progress and the fields below
	captured  int
	stuck     string // ID of the scenario that did not return; "" while all did
}

// untried returns why no scenario may begin, or "".
func (r *runner) untried(ctx context.Context) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.stuck != "":
		return fmt.Sprintf("%s did not return when its budget had passed, and may still be changing the environment", r.stuck)
	case ctx.Err() != nil:
		return Interrupted
	}
	return ""
}

func (r *runner) abandon(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stuck = cmp.Or(r.stuck, id)
}

// run runs a scenario on an installation, and keeps and shows what became of it. One that could
// not be judged beside others is run again later, alone.
func (r *runner) run(ctx context.Context, shard *installation, i int, s Scenario, alone bool) {
	out := &r.results[i]
	before := *out
	if voided := r.outcome(ctx, shard, s, out, alone); voided && !alone {
		r.disturbed[i] = true
		return
	}
	if r.disturbed[i] {
		out.Log = append([]string{"beside other scenarios: " + before.Reason}, out.Log...)
	}
	r.progress(s, out)
}

// outcome runs a scenario on an installation. It reports whether the scenario ended without a
// judgement because of what went on beside it.
func (r *runner) outcome(ctx context.Context, shard *installation, s Scenario, out *result.Scenario, alone bool) (
	voided bool,
) {
	*out = result.Scenario{ID: s.ID, Subject: s.Subject, Title: s.Title, Protects: s.Protects, Alone: s.Alone}
	if len(r.shards) > 1 {
		out.Shard = shard.number
	}
	if skip := r.skip(shard, s); skip != "" {
		out.Status, out.Reason = result.Skipped, skip
		return false
	}
	leave, err := r.options.Stage.Enter(ctx, alone)
	if err == nil {
		defer leave()
	}
	if why := r.untried(ctx); why != "" {
		out.Status, out.Reason, out.Untried = result.Skipped, why, true
		return false
	}
	r.progress(s, nil)
	if alone { // then nothing else reads or writes it
		shard.alone = true
	}
	start := time.Now()
	voided = r.one(ctx, shard, s, out)
	out.Started, out.Seconds = start.UTC(), time.Since(start).Seconds()
	if alone {
		shard.alone = false
	}
	if out.Status == result.Failed && ctx.Err() == nil { // an interrupt must not wait
		r.excuse(ctx, shard, s, out)
		r.capture(ctx, shard, s, out)
	}
	return voided && r.options.Stage.Beside(start)
}

// skip returns why a scenario is left out, or "".
func (r *runner) skip(shard *installation, s Scenario) string {
	if r.options.Elsewhere != nil {
		if where := r.options.Elsewhere(s); where != "" {
			return where
		}
	}
	return shard.env.Skip(s)
}

// excuse turns a failure into a skip where the environment explains it, such as a node without
// disk space. A leak or a forbidden access is never excused.
func (r *runner) excuse(ctx context.Context, shard *installation, s Scenario, out *result.Scenario) {
	if shard.env.Surroundings == nil || s.Kind == Abuse || s.Kind == Hygiene {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, shard.env.Timeouts.Capture)
	defer cancel()
	if why := shard.env.Surroundings(ctx); why != "" {
		out.Log = append(out.Log, "it had failed: "+out.Reason)
		out.Status, out.Untried, out.Reason = result.Skipped, true, shard.redact.Redact("the environment failed: "+why)
	}
}

// maxCaptures bounds how many failed scenarios of a round get diagnostics: when everything fails,
// the first few explain it.
const maxCaptures = 5

// capture saves diagnostics before the next scenario changes the environment.
func (r *runner) capture(ctx context.Context, shard *installation, s Scenario, out *result.Scenario) {
	r.mu.Lock()
	r.captured++
	most := shard.env.Capture == nil || r.captured > maxCaptures
	r.mu.Unlock()
	if most {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, shard.env.Timeouts.Capture)
	defer cancel()
	captured, err := shard.env.Capture(ctx, s.ID)
	out.Artifacts = captured.Files
	for _, crash := range captured.Crashes {
		out.Reason += "; " + shard.redact.Redact(crash)
	}
	if err != nil {
		out.Log = append(out.Log, shard.redact.Redact("diagnostics: "+err.Error()))
	}
}

// one runs a scenario in a goroutine of its own, which FailNow ends. It reports whether the
// scenario ended without a judgement.
func (r *runner) one(parent context.Context, shard *installation, s Scenario, out *result.Scenario) (voided bool) {
	// A budget is for an installation that has the machine for itself.
	s.Budget *= time.Duration(len(r.shards) * r.options.Stage.announced())
	ctx, cancel := context.WithTimeoutCause(parent, s.Budget, errBudget)
	defer cancel()
	rec, done := newRecorder(shard.redact), make(chan struct{})
	rec.inTime = func() bool { return parent.Err() == nil }
	go func() {
		defer close(done)
		defer rec.catch()
		s.Test(ctx, rec, shard.env)
	}()
	stuck := !shard.wait(ctx, done)
	if stuck {
		r.abandon(s.ID)
	}
	late := errors.Is(context.Cause(ctx), errBudget) // before any interrupt
	var failed, early bool
	failed, early, out.Reason, out.Log, out.Measured = rec.seal()
	switch {
	case late:
		out.Status, out.Reason = result.Failed, shard.outlived(s, stuck, out.Reason)
	case failed && notAllowed(out) != "":
		out.Status, out.Untried, out.Reason = result.Skipped, true, result.NotAllowed+notAllowed(out)
	case early: // whatever came after it
		out.Status = result.Failed
	case parent.Err() != nil:
		out.Status, out.Untried = result.Skipped, true
		if out.Reason != "" {
			out.Log = append(out.Log, "when interrupted: "+out.Reason)
		}
		out.Reason = Interrupted
	case failed:
		out.Status = result.Failed
	case rec.voided() != "":
		out.Status, out.Untried, out.Reason = result.Skipped, true, rec.voided()
		return true
	case rec.skipped() != "":
		out.Status, out.Reason = result.Skipped, rec.skipped()
	default:
		out.Status = result.Passed
	}
	return false
}

// outlived returns the reason of a scenario whose budget passed, with what it had found until
// then.
func (shard *installation) outlived(s Scenario, stuck bool, found string) string {
	why := fmt.Sprintf("the budget of %v passed", s.Budget)
	if stuck {
		why += fmt.Sprintf(" and it did not return within %v", shard.env.Timeouts.Grace)
	}
	if found != "" {
		why += ": " + found
	}
	return why
}

// notAllowed returns the part of a failure that names a right that the cluster's user lacks. Such
// a failure is not the chart's.
func notAllowed(failed *result.Scenario) string { return cluster.ForbiddenText(failed.Reason) }

// wait reports whether the scenario returned: until ctx ends, and for Grace after that.
func (shard *installation) wait(ctx context.Context, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-ctx.Done():
	}
	grace := time.NewTimer(shard.env.Timeouts.Grace)
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
