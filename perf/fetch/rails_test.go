package fetch_test

import (
	"context"
	"math/big"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/perf/fetch"
	"gitlab.com/steamer/steamer/perf/fixture"
	"gitlab.com/steamer/steamer/perf/internal/baotest"
)

// steps are the steps of an operation, without those of connections.
func steps(r fetch.Result) (names []fetch.Step) {
	for _, s := range r.Steps {
		if s.Step != fetch.StepConnect && s.Step != fetch.StepFirstByte {
			names = append(names, s.Step)
		}
	}
	return names
}

// TestRails makes every operation against a real OpenBao: the calls are GitLab's, in number and
// order, and a job sees what was written.
func TestRails(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	server, err := baotest.Start(ctx, 2, 1)
	require.NoError(t, err)
	defer server.Stop()
	fx := server.Fixture
	plan, err := fetch.NewPlan(fx)
	require.NoError(t, err)
	require.NoError(t, plan.Supports(fetch.Rails))
	rng := rand.New(rand.NewPCG(1, 1))
	c := &fetch.Client{Plan: plan, Dial: (&net.Dialer{}).DialContext, Verify: true, Rand: rng}
	defer c.Close()
	part, err := plan.PartOf(big.NewRat(0, 1), big.NewRat(1, 2)) // one tenant
	require.NoError(t, err)
	operate := func(want, made fetch.Operation, calls ...fetch.Step) fetch.Result {
		t.Helper()
		r := c.Operate(ctx, want, plan.Choose(rng), part)
		require.Equal(t, fetch.OK, r.Outcome, "%s at %s: status %d, %v", r.Kind, r.FailedStep, r.Status, r.Failures)
		require.Equal(t, string(made), r.Kind)
		require.Equal(t, calls, steps(r))
		require.Equal(t, len(calls), r.Attempts)
		return r
	}
	create := []fetch.Step{
		fetch.StepCount, fetch.StepReadMetadata, fetch.StepWriteValue, fetch.StepWriteMetadata, fetch.StepReadPolicy,
		fetch.StepWritePolicy,
		fetch.StepWriteMetadata, fetch.StepVerify,
	}
	update := []fetch.Step{
		fetch.StepReadMetadata, fetch.StepWriteMetadata, fetch.StepWriteValue, fetch.StepReadPolicy, fetch.StepWritePolicy,
		fetch.StepWriteMetadata, fetch.StepVerify,
	}
	operate(fetch.Update, fetch.List, fetch.StepList) // what is there has to be seen first
	operate(fetch.Update, fetch.Create, create...)    // and what is not there cannot be changed
	operate(fetch.Update, fetch.Update, update...)
	operate(fetch.Update, fetch.Update, update...)
	operate(fetch.List, fetch.List, fetch.StepList)
	operate(fetch.Delete, fetch.Delete, fetch.StepReadMetadata, fetch.StepDelete, fetch.StepList, fetch.StepDeletePolicy)
	for range 10 {
		operate(fetch.Create, fetch.Create, create...)
	}
	operate(fetch.Create, fetch.Delete, fetch.StepReadMetadata, fetch.StepDelete, fetch.StepList, fetch.StepReadPolicy,
		fetch.StepWritePolicy)
	operate(fetch.List, fetch.List, fetch.StepList)
	c.Reuse = true
	r := operate(fetch.Create, fetch.Create, create...)
	require.Less(t, len(r.Steps)-len(r.Failures), 2*len(create)+2, "one connection")

	t.Run("together", func(t *testing.T) { together(ctx, t, plan) })
	t.Run("again", func(t *testing.T) {
		// Another process comes later and takes over what the first one left.
		again, err := fetch.NewPlan(fx)
		require.NoError(t, err)
		c.Plan = again
		operate(fetch.List, fetch.List, fetch.StepList)
		operate(fetch.Update, fetch.Update, update...)
	})
	t.Run("behind the back", func(t *testing.T) {
		other := *c
		plan, err := fetch.NewPlan(fx)
		require.NoError(t, err)
		other.Plan = plan
		operate(fetch.List, fetch.List, fetch.StepList)
		require.Equal(t, fetch.OK, other.Operate(ctx, fetch.List, plan.Choose(rng), part).Outcome)
		require.Equal(t, "delete", other.Operate(ctx, fetch.Delete, plan.Choose(rng), part).Kind)
		r := c.Operate(ctx, fetch.List, c.Plan.Choose(rng), part)
		require.Equal(t, [2]any{fetch.Wrong, fetch.ClassValue}, [2]any{r.Outcome, r.Class}, "a written secret is not there")
	})
}

// together lets several VUs work on two projects at once: without the lease they would take each
// other's grants away.
func together(ctx context.Context, t *testing.T, plan *fetch.Plan) {
	var wg sync.WaitGroup
	for vu := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(vu)))
			c := &fetch.Client{Plan: plan, Dial: (&net.Dialer{}).DialContext, Verify: true, Rand: rng, Reuse: true}
			defer c.Close()
			for i := range 15 {
				want := fetch.Operation(fetch.Operations()[i%4])
				r := c.Operate(ctx, want, plan.Choose(rng), plan.Whole())
				if r.Class != fetch.ClassBusy && r.Outcome != fetch.OK {
					t.Errorf("%s failed at %s: %s, %v", r.Kind, r.FailedStep, r.Class, r.Failures)
				}
			}
		})
	}
	wg.Wait()
}

func TestRailsNeedsItsLogins(t *testing.T) {
	t.Parallel()
	plan := planFor(t, "http://127.0.0.1:1")
	require.ErrorContains(t, plan.Supports(fetch.Rails), "no rails login")
	login := &fixture.Login{AuthPath: "auth/x/login", Role: "r", JWTs: []string{"a.b.c"}}
	fx := &fixture.Fixture{Version: 2, Target: "http://127.0.0.1:1", Rails: login, Tenants: []fixture.Tenant{{
		Name: "t", SecretPath: "t/kv/data/x", AuthPath: "login", Role: "r", JWT: "a.b.c",
		Secrets: []fixture.Secret{{Name: "S"}},
	}}}
	plan, err := fetch.NewPlan(fx)
	require.NoError(t, err)
	require.ErrorContains(t, plan.Supports(fetch.Rails), "tenant t of the fixture has no owner login")
	require.ErrorContains(t, plan.Supports(fetch.LoginReadRevoke), `no element "auth"`)
	fx.Tenants[0].Owner = login
	fx.Tenants[0].SecretPath = "t/kv/x"
	_, err = fetch.NewPlan(fx)
	require.ErrorContains(t, err, "is not <namespace>/<mount>/data/<folder>")
}
