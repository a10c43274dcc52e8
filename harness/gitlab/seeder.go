package gitlab

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
)

// Defaults of a Seeder. Four calls in flight keep GitLab's pool of five database
// connections busy without queueing on it.
const (
	defaultParallel = 4
	defaultRetryFor = 30 * time.Second
)

// Seeder provisions tenants and their secrets the way Rails does, and proves it
// by fetching every secret the way Runner does.
type Seeder struct {
	Client   *openbao.Client
	Issuer   *Issuer
	Audience string
	Seed     string                // keys Value
	Recipes  []*Recipe             // must hold every recipe the tenants name
	Parallel int                   // tenants at a time; 0 is defaultParallel
	RetryFor time.Duration         // how long one call is repeated on 5xx and connection errors; 0 is defaultRetryFor
	Replay   bool                  // make all calls even for a tenant whose secrets are already right
	Progress func(done, total int) // called after each tenant, never concurrently; may be nil

	namespaces singleflight.Group // by path
}

// Run brings every tenant to its planned state and verifies it. A tenant that is
// already right costs one fetch per secret. It stops at the first tenant that
// cannot be brought there; running it again continues.
func (s *Seeder) Run(ctx context.Context, tenants []Tenant) (*result.Seed, error) {
	if s.Parallel == 0 {
		s.Parallel = defaultParallel
	}
	if s.RetryFor == 0 {
		s.RetryFor = defaultRetryFor
	}
	start, calls := time.Now(), &atomic.Int64{}
	out := &result.Seed{Tenants: len(tenants), Recipes: map[string]int{}}
	for _, t := range tenants {
		if s.recipe(t.Recipe) == nil {
			return nil, exit.Invalidf("tenant "+t.Name, "use one of the seeder's recipes", "unknown recipe %q", t.Recipe)
		}
		out.Recipes[t.Recipe]++
		out.Secrets += len(t.Secrets)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(s.Parallel)
	var mu sync.Mutex
	done := 0
	for _, t := range tenants {
		group.Go(func() error {
			if err := s.tenant(groupCtx, t, calls); err != nil {
				return fmt.Errorf("seeding %s (recipe %s): %w", t.Name, t.Recipe, err)
			}
			mu.Lock()
			defer mu.Unlock()
			done++
			if s.Progress != nil {
				s.Progress(done, len(tenants))
			}
			return nil
		})
	}
	err := group.Wait()
	out.Seconds, out.Calls = time.Since(start).Seconds(), int(calls.Load())
	return out, err
}

func (s *Seeder) recipe(id string) *Recipe {
	if i := slices.IndexFunc(s.Recipes, func(r *Recipe) bool { return r.ID == id }); i >= 0 {
		return s.Recipes[i]
	}
	return nil
}

func (s *Seeder) tenant(ctx context.Context, t Tenant, calls *atomic.Int64) error {
	if !s.Replay && s.verify(ctx, t, calls) == nil {
		return nil
	}
	c, in, err := s.caller(t, calls)
	if err != nil {
		return err
	}
	steps, err := s.recipe(t.Recipe).provision(in)
	if err != nil {
		return err
	}
	for _, secret := range t.Secrets {
		more, err := s.recipe(t.Recipe).write(in, secret, t.Value(s.Seed, secret))
		if err != nil {
			return err
		}
		steps = append(steps, more...)
	}
	for _, step := range steps {
		if err := c.run(ctx, step); err != nil {
			return err
		}
	}
	return s.verify(ctx, t, calls)
}

// caller makes calls for a tenant, in order.
func (s *Seeder) caller(t Tenant, calls *atomic.Int64) (*caller, inputs, error) {
	r := s.recipe(t.Recipe)
	in := inputs{Tenant: t, Issuer: s.Issuer.URL(), Audience: s.Audience}
	userPath, err := expand(r.User.Path, in.view())
	if err != nil {
		return nil, in, fmt.Errorf("user.path: %w", err)
	}
	return &caller{seeder: s, tenant: t, calls: calls, user: openbao.InlineAuth{Path: userPath, Role: r.User.Role}}, in,
		nil
}

// verify fetches every secret of the tenant as a job that may read it.
func (s *Seeder) verify(ctx context.Context, t Tenant, calls *atomic.Int64) error {
	for _, secret := range t.Secrets {
		jwt, err := s.Issuer.Pipeline(s.Audience, t, jobFor(secret))
		if err != nil {
			return err
		}
		calls.Add(1)
		a, err := FetchOf(t, secret.Name, jwt).Do(ctx, s.Client)
		switch {
		case err != nil:
			return fmt.Errorf("verifying %s: %w", secret.Name, err)
		case a.Status != http.StatusOK:
			return fmt.Errorf("verifying %s: %v", secret.Name, a)
		case a.Value() != t.Value(s.Seed, secret):
			return exit.Invalidf("seed", "use the seed of the run that provisioned it, or a fresh environment",
				"%s holds another value than this seed gives it", secret.Name)
		case a.Metadata["create_completed_at"] == "":
			return fmt.Errorf("verifying %s: its metadata was never completed, it only has %v",
				secret.Name, slices.Sorted(maps.Keys(a.Metadata)))
		}
	}
	return nil
}

// jobFor is a job that may read the secret.
func jobFor(s Secret) Job {
	j := DefaultJob()
	if s.Environment != Any {
		j.Environment = s.Environment
	}
	if s.Branch != Any {
		j.Ref = s.Branch
	}
	return j
}
