package calibrate

import (
	"context"
	"fmt"
	"time"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/stats"
)

// Delayer is an arm that can be made slower.
type Delayer interface {
	compare.Arm
	SetDelay(time.Duration) error
}

// Limiter is an arm whose CPUs can be limited, 0 for no limit.
type Limiter interface{ SetCPUs(cores float64) error }

// Runner makes comparisons with two arms that are up.
type Runner struct {
	Engine *compare.Engine
	B      Delayer // a Limiter as well where the plan has limits
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
	if _, can := r.B.(Limiter); len(p.Limits) > 0 && !can {
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
	if err := r.B.SetDelay(t.delay(median)); err != nil {
		return err
	}
	if limiter, can := r.B.(Limiter); can && (t.CPUs > 0 || r.B.Subject().CPUs > 0) {
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
	doc.A, doc.B = r.Engine.A.Subject(), r.Engine.B.Subject()
	doc.B.Injected = t.Effect
	r.Log(fmt.Sprintf("comparison %d of %d: %s", number, of, t.what(median)))
	err = r.Engine.Drive(ctx, doc)
	if err == nil {
		r.Log(fmt.Sprintf("comparison %d: %s after %d pairs: %s", number, doc.Verdict, len(doc.Pairs), doc.Reasons[0]))
		err = r.Finish(doc)
	}
	return doc, err
}
