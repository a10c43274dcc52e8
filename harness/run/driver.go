package run

import (
	"context"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// Driver drives load at one installed and provisioned environment, as often as its user likes. It
// is what Run.Measure gets.
type Driver struct{ stage *stage }

// Name is the topology's.
func (d *Driver) Name() string { return d.stage.env.Spec.Topology }

// Tenants is the number of tenants provisioned.
func (d *Driver) Tenants() int { return len(d.stage.tenants) }

// Drive runs a profile at a rate in fetches per second while the environment is observed, and
// returns what that showed: the topology with the load and the resources of this run alone. The
// result of the run it belongs to is left as it is.
func (d *Driver) Drive(ctx context.Context, profile load.Profile, rate float64) (result.Topology, error) {
	plan := *d.stage.Plan
	plan.Profile, plan.Rate = profile, rate
	run := *d.stage.Run
	run.Plan = &plan
	once := d.once()
	once.Run = &run
	err := once.drive(ctx)
	return *once.out, err
}

// once is the stage with a topology of its own, so that what is seen now does not get into the
// run's result.
func (d *Driver) once() *stage {
	once, out := *d.stage, *d.stage.out
	out.Load, out.Resources, out.Events, out.NotMeasured = nil, nil, nil, slices.Clone(d.stage.out.NotMeasured)
	once.out = &out
	return &once
}

// Fixture is the plan's profile's document for load generators that others start in the cluster. It
// points at the active Service and holds tokens that are good for valid.
func (d *Driver) Fixture(ctx context.Context, valid time.Duration) ([]byte, error) {
	target, err := d.stage.service(ctx)
	if err != nil {
		return nil, err
	}
	return d.stage.fixture(target, valid)
}

// Env is the environment as scenarios see it, with its defaults. Call the function in the end.
func (d *Driver) Env() (*scenario.Env, func(), error) { return d.stage.scenarioEnv().Prepare() }

// Grow provisions further tenants until there are total, and fetches each of their secrets once,
// while the environment is observed. The seed tells what that took, the topology what was used
// meanwhile.
func (d *Driver) Grow(ctx context.Context, total int) (*result.Seed, result.Topology, error) {
	s := d.stage
	if total <= len(s.tenants) {
		return &result.Seed{}, result.Topology{}, nil
	}
	plan, err := gitlab.Plan(s.recipes, total, s.Plan.Secrets)
	if err != nil {
		return nil, result.Topology{}, err
	}
	client := openbao.New(s.env.Address, nil)
	defer client.Close()
	seeder := &gitlab.Seeder{
		Client: client, Issuer: s.env.Issuer, Audience: s.env.Audience(), Seed: s.seed, Recipes: s.recipes, Replay: true,
		Progress: func(done, total int) { s.UI.Progress("provisioned tenants", done, total) },
	}
	once := d.once()
	seen, err := once.watch(ctx)
	if err != nil {
		return nil, result.Topology{}, err
	}
	seed, err := seeder.Run(ctx, plan[len(s.tenants):])
	seen()
	if err == nil {
		s.tenants = plan
	}
	return seed, *once.out, err
}
