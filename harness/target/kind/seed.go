package kind

import (
	"context"
	"encoding/json"
	"time"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/observe"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/target"
)

// Tenants are those provisioned so far.
func (t *Target) Tenants() []gitlab.Tenant { return t.tenancy.Tenants() }

// Seed is Grow without observing the target.
func (t *Target) Seed(ctx context.Context, total int) (*result.Seed, error) {
	heap := 0.0
	if len(t.Tenants()) == 0 {
		heap = t.heap(ctx)
	}
	t.tenancy.Client = t.env.Client() // connections of before a restart lead nowhere
	defer t.tenancy.Client.Close()
	seed, err := t.tenancy.Grow(ctx, total)
	if seed != nil {
		seed.HeapBeforeMiB = heap
	}
	if err != nil {
		err = t.blame(ctx, err)
	}
	return seed, err
}

// Grow provisions tenants until there are total, while the target is observed.
func (t *Target) Grow(ctx context.Context, total int) (*result.Seed, target.Observation, error) {
	if total <= len(t.Tenants()) {
		return &result.Seed{Recipes: map[string]int{}}, target.Observation{}, nil
	}
	observed, err := t.watch(ctx)
	if err != nil {
		return nil, target.Observation{}, err
	}
	seed, err := t.Seed(ctx, total)
	return seed, target.Observation{Topology: observed()}, err
}

// heapTimeout bounds reading the heap.
const heapTimeout = 10 * time.Second

// heap is the active pod's Go heap in MiB; 0, and a note, where it cannot be read, because without
// it a run only knows less.
func (t *Target) heap(ctx context.Context) float64 {
	dialect := t.env.Spec.Dialect
	if dialect.MetricsPort == 0 {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, heapTimeout)
	defer cancel()
	pods, err := t.env.Pods(ctx)
	mib := 0.0
	if err == nil {
		var names []string
		for i := range pods {
			names = append(names, pods[i].Name)
		}
		read := observe.PodMetrics(observe.PodSource{Client: t.platform.Cluster.Client}, t.env.Scheme(), dialect.MetricsPort)
		mib, err = observe.ActiveHeap(ctx, read, t.env.Namespace, names)
	}
	if err != nil && ctx.Err() == nil {
		t.note("OpenBao's heap before the seed was not read: " + steps.OneLine(err))
	}
	return mib
}

// Fixture is the document for load generators that others start in the cluster. It points at the
// active Service and holds tokens that are good for valid.
func (t *Target) Fixture(ctx context.Context, profile load.Profile, valid time.Duration) ([]byte, error) {
	service, err := t.service(ctx)
	if err != nil {
		return nil, err
	}
	f, err := gitlab.NewFixture(service, t.tenancy.Seed, t.tenancy.Audience, t.tenancy.Issuer, t.Tenants(), valid,
		append(profile.FixtureOptions(t.tenancy.Recipes), t.trust()...)...)
	if err != nil {
		return nil, err
	}
	return json.Marshal(f)
}
