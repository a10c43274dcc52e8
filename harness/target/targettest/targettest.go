// Package targettest has a target for tests of the programs that work with one.
package targettest

import (
	"context"
	"errors"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target"
)

// Fake is a target.Target without anything behind it: it says what its fields say. The zero value
// is ready.
type Fake struct {
	Described target.Info
	// OnGrow is called before there are total tenants, n of which are new; nil does nothing.
	OnGrow func(total, n int) (*result.Seed, target.Observation, error)
	// OnDrive is what Drive does; nil is an error.
	OnDrive func(job target.Job) (target.Observation, error)
	// OnClose is called by each Close; nil does nothing.
	OnClose func(ctx context.Context) error

	Jobs   []target.Job // driven so far
	Closed int          // number of calls of Close

	tenants []gitlab.Tenant
}

var _ target.Target = (*Fake)(nil)

// Info is Described.
func (f *Fake) Info() target.Info { return f.Described }

// Tenants are those that Grow made up.
func (f *Fake) Tenants() []gitlab.Tenant { return f.tenants }

// Grow makes up tenants of four secrets each.
func (f *Fake) Grow(ctx context.Context, total int) (*result.Seed, target.Observation, error) {
	n := max(0, total-len(f.tenants))
	seed, seen := &result.Seed{Tenants: n, Secrets: 4 * n}, target.Observation{}
	if f.OnGrow != nil {
		var err error
		if seed, seen, err = f.OnGrow(total, n); err != nil {
			return seed, seen, err
		}
	}
	recipes, err := gitlab.Recipes()
	if err == nil {
		f.tenants, err = gitlab.Plan(recipes[:1], total, 4)
	}
	return seed, seen, errors.Join(err, ctx.Err())
}

// Env is an error: a fake has nothing that scenarios could work on.
func (f *Fake) Env() (*scenario.Env, func(), error) {
	return nil, nil, errors.New("a fake target has no environment")
}

// Drive calls OnDrive, unless ctx has ended.
func (f *Fake) Drive(ctx context.Context, job target.Job) (target.Observation, error) {
	if ctx.Err() != nil {
		return target.Observation{}, ctx.Err()
	}
	f.Jobs = append(f.Jobs, job)
	if f.OnDrive == nil {
		return target.Observation{}, errors.New("a fake target cannot be driven")
	}
	return f.OnDrive(job)
}

// Close counts, and calls OnClose.
func (f *Fake) Close(ctx context.Context) error {
	f.Closed++
	if f.OnClose != nil {
		return f.OnClose(ctx)
	}
	return nil
}
