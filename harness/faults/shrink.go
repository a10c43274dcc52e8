package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/check"
)

// Shrinker cuts a schedule whose run violates an invariant to the least that still does: first it
// takes faults away, then it makes them weaker and shorter, then it takes clients, tenants and
// secrets away. A run is not deterministic, so that what is tried has to fail once in Times runs
// to be kept.
type Shrinker struct {
	Options
	Rules []string // of which one has to be violated; none is any
	Times int      // runs of what is tried, at most
	Runs  int      // all together, at most, without those of the rate

	run    func(context.Context, Options) (*check.Report, error) // Run
	ran    int
	report *check.Report // of the last run that failed
}

// errEnough ends a search that has used its runs.
var errEnough = errors.New("no more runs")

// Validate refuses what cannot be searched.
func (s *Shrinker) Validate() error {
	for _, limit := range []struct {
		flag  string
		value int
	}{{"--times", s.Times}, {"--runs", s.Runs}} {
		if limit.value < 1 || limit.value > 1000 {
			return exit.Invalidf(fmt.Sprintf("%s %d", limit.flag, limit.value), "use 1 to 1000", "it is out of range")
		}
	}
	for _, id := range s.Rules {
		if !slices.ContainsFunc(check.Rules(), func(r check.Rule) bool { return r.ID == id }) {
			return exit.Invalidf("--rules "+id, "see steamer faults rules", "there is no such invariant")
		}
	}
	return nil
}

// Shrink returns the smallest schedule that failed, with what it found, and the report of a run of
// it. Both are nil where the given one did not fail in Times runs. An error ends the search, with
// what was reached until then. The history of that run stays in Dir.
func (s *Shrinker) Shrink(ctx context.Context) (*Schedule, *check.Report, error) {
	if s.run == nil {
		s.run = Run
	}
	s.Keep()
	best := *s.Schedule
	failed, err := s.fails(ctx, best)
	if !failed {
		if errors.Is(err, errEnough) {
			err = nil
		}
		return nil, nil, err
	}
	best.Steps, err = minimise(best.Steps, func(steps []Step) (bool, error) { return s.fails(ctx, with(best, steps)) })
	if err == nil {
		best, err = s.weaken(ctx, best)
	}
	if errors.Is(err, errEnough) {
		s.Progress(fmt.Sprintf("%d runs are used: what was reached may not be the least", s.ran))
		err = nil
	}
	best.Finding = &Finding{Rules: s.violated(s.report)}
	for best.Finding.Runs < s.Times && err == nil {
		if failed, err = s.once(ctx, best); err == nil {
			best.Finding.Runs++
		}
		if failed {
			best.Finding.Reproduced++
		}
	}
	best.Finding.Story = story(s.report, &best, s.Schedule)
	return &best, s.report, err
}

// with is a schedule with other steps.
func with(schedule Schedule, steps []Step) Schedule {
	schedule.Steps = steps
	return schedule
}

// fails runs a schedule until it fails, at most Times.
func (s *Shrinker) fails(ctx context.Context, schedule Schedule) (bool, error) {
	for range s.Times {
		if s.ran >= s.Runs {
			return false, errEnough
		}
		if failed, err := s.once(ctx, schedule); failed || err != nil {
			return failed, err
		}
	}
	return false, nil
}

// once runs a schedule, and keeps its report and history where it fails.
func (s *Shrinker) once(ctx context.Context, schedule Schedule) (bool, error) {
	s.ran++
	o := s.Options
	o.Schedule, o.Progress = &schedule, func(string) {}
	o.Take()
	dir, err := os.MkdirTemp(s.Dir, "run-")
	if err != nil {
		return false, exit.Environmentf(s.Dir, "name a directory that can be written to", "%w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	o.Dir = dir
	report, err := s.run(ctx, o)
	if ctx.Err() != nil {
		return false, errors.Join(ctx.Err(), err)
	}
	if report == nil {
		return false, err
	}
	rules := s.violated(report) // also where a fault could not be ended: the history is judged
	s.Progress(fmt.Sprintf("run %d: %d faults, %d clients: %s", s.ran, len(schedule.Steps), o.Clients,
		cmp.Or(strings.Join(rules, ", "), "not reproduced")))
	if len(rules) == 0 {
		return false, nil
	}
	s.report = report
	return true, os.Rename(filepath.Join(dir, history.FileName), filepath.Join(s.Dir, history.FileName))
}

// violated are the invariants of those that are wanted that a run violated.
func (s *Shrinker) violated(report *check.Report) []string {
	var list []string
	for _, rule := range check.Rules() {
		if report.Rules[rule.ID] > 0 && (len(s.Rules) == 0 || slices.Contains(s.Rules, rule.ID)) {
			list = append(list, rule.ID)
		}
	}
	return list
}

// weaken makes a schedule weaker, one thing after the other, as far as it still fails.
func (s *Shrinker) weaken(ctx context.Context, best Schedule) (Schedule, error) {
	for at := 0; at < len(weaker(best)); {
		candidate := weaker(best)[at]
		failed, err := s.fails(ctx, candidate)
		switch {
		case err != nil:
			return best, err
		case failed:
			best = candidate
		default:
			at++
		}
	}
	return best, nil
}

// leastAfter is how long there is load before a fault, at least.
const leastAfter = 500 * time.Millisecond

// weaker are the schedules that are weaker than one in one thing, in an order that stays: a thing
// that cannot be made weaker any more leaves its place to the next.
func weaker(schedule Schedule) []Schedule {
	var list []Schedule
	replace := func(i int, step Step) {
		steps := slices.Clone(schedule.Steps)
		steps[i] = step
		list = append(list, with(schedule, steps))
	}
	for i, step := range schedule.Steps {
		if name := kindOf(step.Fault).weaker; name != "" {
			k := kindOf(name)
			length := max(min(step.Length, document.Duration(k.longest)), document.Duration(k.shortest))
			replace(i, Step{Fault: name, After: step.After, Length: length})
		}
	}
	for i, step := range schedule.Steps {
		replace(i, Step{
			Fault: step.Fault, Length: min(step.Length, document.Duration(kindOf(step.Fault).shortest)),
			After: min(step.After, document.Duration(leastAfter)),
		})
	}
	for _, fewer := range []func(*Workload){
		func(w *Workload) { w.Clients = (w.Clients + 1) / 2 },
		func(w *Workload) { w.Tenants = (w.Tenants + 1) / 2 },
		func(w *Workload) { w.Secrets = (w.Secrets + 1) / 2 },
		func(w *Workload) { w.Fetches = 0 },
	} {
		workload := *schedule.Workload
		fewer(&workload)
		next := schedule
		next.Workload = &workload
		list = append(list, next)
	}
	return slices.DeleteFunc(list, func(next Schedule) bool {
		return slices.Equal(next.Steps, schedule.Steps) && *next.Workload == *schedule.Workload
	})
}

// storyLines is how long a story is.
const storyLines = 10

// story tells how a schedule fails: what was cut, what is violated, and the steps and events that
// show it, in the order of time.
func story(report *check.Report, best, first *Schedule) []string {
	list := []string{fmt.Sprintf("%d of %d faults, %d clients, %d tenants with %d secrets: %d of %d runs show it",
		len(best.Steps), len(first.Steps), best.Workload.Clients, best.Workload.Tenants, best.Workload.Secrets,
		best.Finding.Reproduced, best.Finding.Runs)}
	at := slices.IndexFunc(report.Violations, func(v check.Violation) bool {
		return slices.Contains(best.Finding.Rules, v.Rule)
	})
	v := report.Violations[at]
	list = append(list, fmt.Sprintf("%s (%s), %s: %s", v.Rule, v.Title, v.Where, v.What))
	type line struct {
		time int64
		text string
	}
	var lines []line
	for _, step := range v.Steps {
		lines = append(lines, line{step.Call, fmt.Sprintf("client %d: %s", step.Client, step.Text)})
	}
	lines = lines[:min(len(lines), storyLines-len(list))]
	for i := len(v.Moments) - 1; i >= 0 && len(lines) < storyLines-len(list); i-- { // the latest
		lines = append(lines, line{v.Moments[i].Time, v.Moments[i].Text})
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.time, b.time) })
	for _, l := range lines {
		list = append(list, fmt.Sprintf("%9.3f s  %s", float64(l.time)/1e6, l.text))
	}
	return list
}
