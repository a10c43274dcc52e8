package compare

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target"
)

// Functional is what became of a scenario on either arm.
type Functional struct {
	ID     string        `json:"id"`
	Title  string        `json:"title"`
	A      result.Status `json:"a"`
	B      result.Status `json:"b"`
	Reason string        `json:"reason,omitempty"` // B's, or A's where only A has one
	Twice  bool          `json:"twice,omitempty"`  // it failed with B alone, was repeated on both, and this is what came of that
}

// regression reports whether a scenario passes with A and fails with B.
func (f Functional) regression() bool { return f.A == result.Passed && f.B == result.Failed }

// Observing returns the scenarios that only observe and take seconds. A comparison runs them by
// default.
func Observing(list []scenario.Scenario) []scenario.Scenario {
	return slices.DeleteFunc(slices.Clone(list), func(s scenario.Scenario) bool {
		return s.Cost == scenario.Slow || s.Kind != scenario.Functional && s.Kind != scenario.Abuse
	})
}

// functional runs the scenarios on both arms, after the load, so that they are no part of it. What
// fails with B alone is repeated on both.
func (e *Engine) functional(ctx context.Context, c *Comparison) error {
	c.Functional = nil
	found, err := e.check(ctx, e.Scenarios)
	if err != nil {
		return err
	}
	c.Functional = found
	var again []scenario.Scenario
	for i, f := range found {
		if f.regression() {
			again = append(again, e.Scenarios[i])
		}
	}
	if len(again) == 0 {
		return nil
	}
	e.log(fmt.Sprintf("%d scenarios failed with B alone: once more", len(again)))
	repeated, err := e.check(ctx, again)
	if err != nil {
		return err
	}
	for _, f := range repeated {
		f.Twice = true
		c.Functional[slices.IndexFunc(c.Functional, func(g Functional) bool { return g.ID == f.ID })] = f
	}
	return nil
}

func (e *Engine) check(ctx context.Context, list []scenario.Scenario) ([]Functional, error) {
	var both [2][]result.Scenario
	for i, t := range e.targets {
		e.log(fmt.Sprintf("%d scenarios on %s", len(list), arms[i]))
		var err error
		if both[i], err = run(ctx, t, list); err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("scenarios on %s: %w", arms[i], err)
		}
	}
	out := make([]Functional, len(list))
	for i := range list {
		a, b := both[0][i], both[1][i]
		out[i] = Functional{ID: a.ID, Title: a.Title, A: a.Status, B: b.Status, Reason: b.Reason}
		if b.Reason == "" {
			out[i].Reason = a.Reason
		}
	}
	return out, nil
}

func run(ctx context.Context, t target.Target, list []scenario.Scenario) ([]result.Scenario, error) {
	env, done, err := t.Env()
	if err != nil {
		return nil, err
	}
	defer done()
	return scenario.Run(ctx, env, list, scenario.Options{})
}

// regressions are the scenarios that pass with A and fail with B, and did so again when they were
// repeated.
func (c *Comparison) regressions() []string {
	var out []string
	for _, f := range c.Functional {
		if f.regression() && f.Twice {
			out = append(out, fmt.Sprintf("scenario %s passes with A and fails with B: %s", f.ID, f.Reason))
		}
	}
	return out
}

// functionalNotes says how the scenarios compare, and which differ.
func (c *Comparison) functionalNotes() []string {
	if len(c.Functional) == 0 {
		return nil
	}
	same := map[result.Status]int{}
	var differ []string
	for _, f := range c.Functional {
		if f.A == f.B {
			same[f.A]++
			continue
		}
		line := fmt.Sprintf("Scenario %s: A %s, B %s", f.ID, f.A, f.B)
		if f.Reason != "" {
			line += ": " + strings.Join(strings.Fields(f.Reason), " ")
		}
		differ = append(differ, line)
	}
	return append([]string{fmt.Sprintf("Scenarios: %d, of which %d passed, %d failed and %d were skipped with both, and %d differ.",
		len(c.Functional), same[result.Passed], same[result.Failed], same[result.Skipped], len(differ))}, differ...)
}
