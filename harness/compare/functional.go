package compare

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// Checker is an arm on which scenarios can be run.
type Checker interface {
	Arm
	// Check runs scenarios, in order, and returns a result for each.
	Check(ctx context.Context, list []scenario.Scenario) ([]result.Scenario, error)
}

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
	for i, arm := range []Arm{e.A, e.B} {
		checker, ok := arm.(Checker)
		if !ok {
			return nil, errors.New("scenarios cannot be run on this arm")
		}
		e.log(fmt.Sprintf("%d scenarios on %s", len(list), []string{A, B}[i]))
		var err error
		if both[i], err = checker.Check(ctx, list); err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("scenarios on %s: %w", []string{A, B}[i], err)
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

// Check runs scenarios on the processes.
func (l *LocalArm) Check(ctx context.Context, list []scenario.Scenario) ([]result.Scenario, error) {
	env := &scenario.Env{
		Topology: "local", Address: l.address, Issuer: l.issuer, Audience: l.audience, Tenants: l.tenants, Seed: l.seed,
		AuditFile: l.server.AuditLog(),
	}
	return runScenarios(ctx, env, list)
}

// Check runs scenarios on the installed chart, whose release they may not change.
func (a *ClusterArm) Check(ctx context.Context, list []scenario.Scenario) ([]result.Scenario, error) {
	return runScenarios(ctx, a.env.Scenarios(a.tenants, a.seed), list)
}

func runScenarios(ctx context.Context, env *scenario.Env, list []scenario.Scenario) ([]result.Scenario, error) {
	recipes, err := gitlab.Recipes()
	if err != nil {
		return nil, err
	}
	env.Client = openbao.New(env.Address, nil)
	defer env.Client.Close()
	stop, err := scenario.PlayStacks(env, 0, recipes)
	if err != nil {
		return nil, err
	}
	defer stop()
	return scenario.Run(ctx, env, list, scenario.Options{})
}
