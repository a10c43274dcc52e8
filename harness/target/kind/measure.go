package kind

import (
	"context"
	"errors"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/target"
)

// Measurement is a program that measures each topology of a plan, such as a capacity search.
type Measurement struct {
	Provider *platform.Provider
	Steps    *steps.Steps
	ID       string // owner of everything that is made
	// Dir makes the directory for what is measured in a topology.
	Dir func(topology string) (string, error)
	// Measure measures an installed target with the plan's tenants. It may return a verdict beside
	// an error, and none ("") where it came to none.
	Measure func(ctx context.Context, t *Target, dir string) (result.Verdict, error)
	// Keep leaves what was installed where nothing went wrong.
	Keep bool
}

// Run installs the topologies one after the other, has each measured, and removes what it made,
// also after ctx was cancelled. It returns the worst of the verdicts: FAIL where a chart does not
// come up, INCONCLUSIVE where a topology was not measured.
func (m Measurement) Run(ctx context.Context) (v result.Verdict, err error) {
	defer func() { err = errors.Join(err, m.Steps.Clean(ctx)) }()
	p, err := m.Provider.Up(ctx, m.ID, m.Steps)
	if err != nil {
		return result.Inconclusive, err
	}
	var verdicts []result.Verdict
	names := m.Provider.Plan.Topologies
	for i, name := range names {
		one, err := m.topology(ctx, p, name, i == len(names)-1)
		if one != "" {
			verdicts = append(verdicts, one)
		}
		if err != nil {
			return worst(verdicts, len(names)), err
		}
	}
	return worst(verdicts, len(names)), nil
}

// worst is the verdict over all topologies, of which there are some.
func worst(verdicts []result.Verdict, expected int) result.Verdict {
	switch {
	case slices.Contains(verdicts, result.Fail):
		return result.Fail
	case len(verdicts) < expected || slices.Contains(verdicts, result.Inconclusive):
		return result.Inconclusive
	}
	return result.Pass
}

// topology measures one topology and removes it. Where that fails, its diagnostics are saved
// before.
func (m Measurement) topology(ctx context.Context, p *platform.Platform, name string, last bool) (
	v result.Verdict, err error,
) {
	dir, err := m.Dir(name)
	if err != nil {
		return "", err
	}
	plan := m.Provider.Plan
	t, err := New(p, Options{
		Spec: p.Spec(name), Secrets: plan.Secrets, Dir: dir, InCluster: plan.InCluster, Last: last,
	})
	if err != nil {
		return "", err
	}
	remove := m.Steps.Cleanup("topology "+name, t.Close)
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"install", t.Install},
		{"seed", func(ctx context.Context) error { _, err := t.Seed(ctx, plan.Tenants); return err }},
		{"measure", func(ctx context.Context) (err error) { v, err = m.Measure(ctx, t, dir); return err }},
	} {
		if err = m.Steps.Do(ctx, name, step.name, step.do); err != nil {
			_ = m.Steps.Final(ctx, name, "diagnostics", func(ctx context.Context) error {
				return t.Diagnose(ctx, Diagnostics(dir, name))
			})
			break
		}
	}
	if errors.As(err, &target.UnfitError{}) && ctx.Err() == nil { // a finding, which the step has shown
		v, err = result.Fail, nil
	}
	if m.Keep && v != result.Fail && err == nil && ctx.Err() == nil {
		remove.Forget()
		m.Steps.UI.Note("what was installed stays, in " + strings.Join(t.Namespaces(), " and "))
		return v, nil
	}
	return v, errors.Join(err, remove.Now(ctx))
}
