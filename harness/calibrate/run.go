package calibrate

import (
	"context"
	"fmt"
	"time"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/stats"
)

// Plan says how many comparisons to make.
type Plan struct {
	Same    int       // of the system with itself, 1 or more
	Effects []float64 // regressions to inject, as shares of the median latency, e.g. 0.1
	Each    int       // comparisons per effect
}

// Check refuses plans that say nothing.
func (p Plan) Check() error {
	switch {
	case p.Same < 1 || p.Same > 1000:
		return exit.Invalidf(fmt.Sprintf("--same %d", p.Same), "use 1 to 1000", "the median latency and the noise come from comparisons of the system with itself")
	case p.Each < 0 || p.Each > 1000:
		return exit.Invalidf(fmt.Sprintf("--each %d", p.Each), "use 0 to 1000", "it is out of range")
	}
	for _, e := range p.Effects {
		if !(e > 0 && e <= 10) {
			return exit.Invalidf(fmt.Sprintf("--effect %g", 100*e), "use more than 0 and at most 1000, in %", "it is out of range")
		}
	}
	return nil
}

// Delayer is an arm that can be made slower.
type Delayer interface {
	compare.Arm
	SetDelay(time.Duration) error
}

// Runner makes comparisons with two arms that are up.
type Runner struct {
	Engine *compare.Engine
	B      Delayer
	// Begin makes the frame of the next comparison; Finish keeps a finished one.
	Begin  func(number int) (*compare.Comparison, error)
	Finish func(*compare.Comparison) error
	Log    func(string)
}

// Run makes the comparisons of a plan: first those of the system with itself,
// whose median latency the regressions are measured by, then the effects in
// turns, so that a change of the machine does not fall on one of them alone.
// What was made before an error stays kept.
func (r Runner) Run(ctx context.Context, p Plan) error {
	number := 0
	var medians []float64
	for range p.Same {
		number++
		doc, err := r.compare(ctx, number, 0, 0)
		if err != nil {
			return err
		}
		for _, m := range doc.Metrics {
			if m.Name == "fetch_p50_ms" && m.Pairs > 0 {
				medians = append(medians, m.A)
			}
		}
	}
	median := stats.Median(medians)
	if len(p.Effects) > 0 && p.Each > 0 && !(median > 0) {
		return exit.Environmentf("the system with itself", "see the reasons of the comparisons", "no median latency was measured, so there is nothing to add a share of")
	}
	for range p.Each {
		for _, effect := range p.Effects {
			number++
			delay := time.Duration(effect * median * float64(time.Millisecond))
			if _, err := r.compare(ctx, number, effect, delay); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r Runner) compare(ctx context.Context, number int, effect float64, delay time.Duration) (*compare.Comparison, error) {
	if err := r.B.SetDelay(delay); err != nil {
		return nil, err
	}
	doc, err := r.Begin(number)
	if err != nil {
		return nil, err
	}
	doc.Design.Seed += uint64(number)
	doc.A, doc.B = r.Engine.A.Subject(), r.Engine.B.Subject()
	doc.B.Injected = effect
	r.Log(fmt.Sprintf("comparison %d: %s", number, what(effect, delay)))
	err = r.Engine.Drive(ctx, doc)
	if err == nil {
		r.Log(fmt.Sprintf("comparison %d: %s after %d pairs: %s", number, doc.Verdict, len(doc.Pairs), doc.Reasons[0]))
		err = r.Finish(doc)
	}
	return doc, err
}

func what(effect float64, delay time.Duration) string {
	if effect == 0 {
		return "the system with itself"
	}
	return fmt.Sprintf("B slower by %g %% of the median, %s", 100*effect, delay)
}
