package fetch

import (
	"context"
	"math/big"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/perf/fixture"
	"gitlab.com/steamer/steamer/perf/internal/baotest"
)

// steps are the steps of an operation, without those of connections.
func steps(r Result) (names []Step) {
	for _, s := range r.Steps {
		if s.Step != stepConnect && s.Step != stepFirstByte {
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
	plan, err := NewPlan(fx)
	require.NoError(t, err)
	require.NoError(t, plan.Supports(Rails))
	rng := rand.New(rand.NewPCG(1, 1))
	c := &Client{Plan: plan, Dial: (&net.Dialer{}).DialContext, Verify: true, Rand: rng}
	defer c.Close()
	part, err := plan.PartOf(big.NewRat(0, 1), big.NewRat(1, 2)) // one tenant
	require.NoError(t, err)
	operate := func(want, made Operation, calls ...Step) Result {
		t.Helper()
		r := c.Operate(ctx, want, choose(plan, rng), part)
		require.Equal(t, OK, r.Outcome, "%s at %s: status %d, %v", r.Kind, r.FailedStep, r.Status, r.Failures)
		require.Equal(t, string(made), r.Kind)
		require.Equal(t, calls, steps(r))
		require.Equal(t, len(calls), r.Attempts)
		return r
	}
	create := []Step{
		stepCount, stepReadMetadata, stepWriteValue, stepWriteMetadata, stepReadPolicy,
		stepWritePolicy,
		stepWriteMetadata, stepVerify,
	}
	update := []Step{
		stepReadMetadata, stepWriteMetadata, stepWriteValue, stepReadPolicy, stepWritePolicy,
		stepWriteMetadata, stepVerify,
	}
	operate(opUpdate, opList, stepList)    // what is there has to be seen first
	operate(opUpdate, opCreate, create...) // and what is not there cannot be changed
	operate(opUpdate, opUpdate, update...)
	operate(opUpdate, opUpdate, update...)
	operate(opList, opList, stepList)
	operate(opDelete, opDelete, stepReadMetadata, stepDelete, stepList, stepDeletePolicy)
	for range 10 {
		operate(opCreate, opCreate, create...)
	}
	operate(opCreate, opDelete, stepReadMetadata, stepDelete, stepList, stepReadPolicy,
		stepWritePolicy)
	operate(opList, opList, stepList)
	c.Reuse = true
	r := operate(opCreate, opCreate, create...)
	require.Less(t, len(r.Steps)-len(r.Failures), 2*len(create)+3, "one connection for Rails and one for the job")

	t.Run("together", func(t *testing.T) { together(ctx, t, plan) })
	t.Run("again", func(t *testing.T) {
		// Another process comes later and takes over what the first one left.
		again, err := NewPlan(fx)
		require.NoError(t, err)
		c.Plan = again
		operate(opList, opList, stepList)
		operate(opUpdate, opUpdate, update...)
	})
	t.Run("behind the back", func(t *testing.T) {
		other := *c
		plan, err := NewPlan(fx)
		require.NoError(t, err)
		other.Plan = plan
		operate(opList, opList, stepList)
		require.Equal(t, OK, other.Operate(ctx, opList, choose(plan, rng), part).Outcome)
		require.Equal(t, "delete", other.Operate(ctx, opDelete, choose(plan, rng), part).Kind)
		r := c.Operate(ctx, opList, choose(c.Plan, rng), part)
		require.Equal(t, [2]any{Wrong, classValue}, [2]any{r.Outcome, r.Class}, "a written secret is not there")
	})
}

// together lets several VUs work on two projects at once: without the lease they would take each
// other's grants away.
func together(ctx context.Context, t *testing.T, plan *Plan) {
	var wg sync.WaitGroup
	for vu := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(vu)))
			c := &Client{Plan: plan, Dial: (&net.Dialer{}).DialContext, Verify: true, Rand: rng, Reuse: true}
			defer c.Close()
			for i := range 15 {
				want := Operation(Operations()[i%4])
				r := c.Operate(ctx, want, choose(plan, rng), plan.Whole())
				if r.Class != classBusy && r.Outcome != OK {
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
	require.ErrorContains(t, plan.Supports(Rails), "no rails login")
	login := &fixture.Login{AuthPath: "auth/x/login", Role: "r", JWTs: []string{"a.b.c"}}
	fx := &fixture.Fixture{Version: 2, Target: "http://127.0.0.1:1", Rails: login, Tenants: []fixture.Tenant{{
		Name: "t", SecretPath: "t/kv/data/x", AuthPath: "login", Role: "r", JWT: "a.b.c",
		Secrets: []fixture.Secret{{Name: "S"}},
	}}}
	plan, err := NewPlan(fx)
	require.NoError(t, err)
	require.ErrorContains(t, plan.Supports(Rails), "tenant t of the fixture has no owner login")
	require.ErrorContains(t, plan.Supports(loginReadRevoke), `no element "auth"`)
	fx.Tenants[0].Owner = login
	fx.Tenants[0].SecretPath = "t/kv/x"
	_, err = NewPlan(fx)
	require.ErrorContains(t, err, "is not <namespace>/<mount>/data/<folder>")
}
