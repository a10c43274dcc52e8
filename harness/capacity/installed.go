package capacity

import (
	"context"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target"
)

// installed is a topology on a cluster.
type installed struct {
	driver *run.Driver
	env    *scenario.Env
}

// Installed makes a target of an installed topology. Call the function when done.
func Installed(d *run.Driver) (target.Target, func(), error) {
	env, done, err := d.Env()
	return &installed{d, env}, done, err
}

func (i *installed) Info() target.Info { return target.Info{Name: i.driver.Name()} }

func (i *installed) Tenants() []gitlab.Tenant { return i.env.Tenants }

func (i *installed) Env() (*scenario.Env, func(), error) { return i.driver.Env() }

func (i *installed) Close(context.Context) error { return nil }

func (i *installed) Grow(ctx context.Context, total int) (*result.Seed, target.Observation, error) {
	seed, seen, err := i.driver.Grow(ctx, total)
	if err != nil {
		return seed, target.Observation{Topology: seen}, err
	}
	env, done, err := i.driver.Env()
	if err == nil {
		i.env.Tenants = env.Tenants
		done()
	}
	return seed, target.Observation{Topology: seen}, err
}

func (i *installed) Drive(ctx context.Context, job target.Job) (target.Observation, error) {
	t, err := i.driver.Drive(ctx, job.Profile, job.Rate)
	seen := target.Observation{Topology: t}
	if t.Load == nil {
		return seen, err
	}
	w := t.Load.Measured()
	if strangers, ok := t.Others(w); ok && len(t.Nodes) > 0 { // else Kubernetes is among them, which grows with the rate
		seen.Strangers = &strangers
	}
	if t.Host != nil {
		if all, ok := t.Host.CPUCores(w); ok {
			rest := max(0, all-component(&t, "openbao").Cores-component(&t, "postgresql").Cores-t.Load.Generator.Cores(w))
			seen.Others = &rest
		}
	}
	return seen, err
}
