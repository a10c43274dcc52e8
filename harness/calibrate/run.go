package calibrate

import (
	"context"
	"fmt"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/stats"
	"gitlab.com/steamer/steamer/harness/target"
)

// Runner makes comparisons with an engine whose targets are up: target.Delayer, and of B
// target.Limiter as well where the plan has limits.
type Runner struct {
	Engine *compare.Engine
	// Done are comparisons of the plan, by number, that were made before and are not made again.
	Done map[int]*compare.Comparison
	// Begin makes the frame of a comparison; Finish keeps a finished one.
	Begin  func(number int) (*compare.Comparison, error)
	Finish func(*compare.Comparison) error
	Log    func(string)
}

// Run makes the comparisons of a plan that are not done: first those of the system with itself,
// whose median latency the delays are measured by, then the others. What was made before an error
// stays kept.
func (r Runner) Run(ctx context.Context, p Plan) error {
	if _, can := r.Engine.Head().(target.Limiter); len(p.Limits) > 0 && !can {
		return exit.Invalidf("--cpu-limit", "add --local",
			"only processes of this machine can be limited from one comparison to the next")
	}
	var medians []float64
	treatments := p.treatments()
	for i, t := range treatments {
		number := i + 1
		median := stats.Median(medians)
		if t.Effect > 0 && !(median > 0) {
			return exit.Environmentf("the system with itself", "see the reasons of the comparisons",
				"no median latency was measured, so there is nothing to add a share of")
		}
		doc := r.Done[number]
		if doc == nil {
			var err error
			if doc, err = r.compare(ctx, number, len(treatments), t, median); err != nil {
				return err
			}
		}
		if t != (treatment{}) {
			continue
		}
		for _, m := range doc.Metrics {
			if m.Name == "fetch_p50_ms" && m.Pairs > 0 {
				medians = append(medians, m.A)
			}
		}
	}
	return nil
}

// apply makes B worse, or as good as A again.
func (r Runner) apply(t treatment, median float64) error {
	head := r.Engine.Head()
	delayer, can := head.(target.Delayer)
	if !can {
		return fmt.Errorf("answers of %s cannot be delayed", head.Info().Name)
	}
	if err := delayer.SetDelay(t.delay(median)); err != nil {
		return err
	}
	if limiter, can := head.(target.Limiter); can && (t.CPUs > 0 || head.Info().CPUs > 0) {
		return limiter.SetCPUs(t.CPUs)
	}
	return nil
}

func (r Runner) compare(ctx context.Context, number, of int, t treatment, median float64) (*compare.Comparison, error) {
	if err := r.apply(t, median); err != nil {
		return nil, err
	}
	doc, err := r.Begin(number)
	if err != nil {
		return nil, err
	}
	doc.Design.Seed += uint64(number)
	doc.A, doc.B = r.Engine.Subjects()
	doc.B.Injected = t.Effect
	r.Log(fmt.Sprintf("comparison %d of %d: %s", number, of, t.what(median)))
	err = r.Engine.Drive(ctx, doc)
	if err == nil {
		r.Log(fmt.Sprintf("comparison %d: %s after %d pairs: %s", number, doc.Verdict, len(doc.Pairs), doc.Reasons[0]))
		err = r.Finish(doc)
	}
	return doc, err
}
