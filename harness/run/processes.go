package run

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target/local"
	"gitlab.com/steamer/steamer/scenarios"
)

// ProcessesTopology is the name of the one topology in the result of RunProcesses.
const ProcessesTopology = "processes"

// RunProcesses runs the scenarios that need no cluster on an OpenBao and a PostgreSQL that it
// starts as processes. It says nothing about a chart. It returns what Run does.
func (r *Runner) RunProcesses(ctx context.Context, spec local.Spec) (res *result.Result, dir string, err error) {
	if err := r.begin(); err != nil {
		return nil, "", err
	}
	defer func() { res, dir, err = r.finish(ctx, errors.Join(err, r.steps.Clean(ctx))) }()

	err = r.processes(ctx, spec)
	r.result.Run.Partial = err != nil
	return nil, "", err
}

func (r *Runner) processes(ctx context.Context, spec local.Spec) error {
	list, err := r.Plan.Select(scenarios.All())
	if err != nil {
		return err
	}
	var t *local.Target
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"start", func(ctx context.Context) (err error) {
			if t, err = local.Open(ctx, spec); err == nil {
				r.steps.Cleanup("processes", t.Close)
				r.result.Topologies = append(r.result.Topologies, result.Topology{
					Name: ProcessesTopology, Versions: t.Info().Versions, Images: map[string]string{},
					Scenarios: []result.Scenario{}, Checks: []result.Check{}, Reasons: []string{},
				})
			}
			return err
		}},
		{"seed", func(ctx context.Context) (err error) {
			r.result.Topologies[0].Seed, _, err = t.Grow(ctx, r.Plan.Tenants)
			return err
		}},
		{"scenarios", func(ctx context.Context) error { return r.onProcesses(ctx, t, list) }},
	} {
		if err := r.steps.Do(ctx, ProcessesTopology, step.name, step.do); err != nil {
			return err
		}
	}
	return nil
}

// onProcesses runs those of a list that need no cluster: hundreds of skips would hide them.
func (r *Runner) onProcesses(ctx context.Context, t *local.Target, list []scenario.Scenario) error {
	env, done, err := t.Env()
	if err != nil {
		return err
	}
	defer done()
	list = slices.DeleteFunc(slices.Clone(list), func(s scenario.Scenario) bool { return env.Skip(s) != "" })
	if len(list) == 0 {
		return fmt.Errorf("no scenario of --scenarios %s can run without a cluster", r.Plan.Scenarios)
	}
	out := &r.result.Topologies[0]
	if out.Scenarios, err = r.suite(ctx, nil, []*scenario.Env{env}, list); err == nil {
		err = ctx.Err()
	}
	return err
}
