package fetch_test

import (
	"context"
	"math/big"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/perf/fetch"
	"gitlab.com/steamer/steamer/perf/internal/baotest"
)

// TestOpenBao fetches from a real OpenBao on a real PostgreSQL: right, wrong and forbidden.
func TestOpenBao(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	server, err := baotest.Start(ctx, 2, 2)
	require.NoError(t, err)
	defer server.Stop()

	plan, err := fetch.NewPlan(server.Fixture)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 1))
	for _, reuse := range []bool{false, true} {
		c := &fetch.Client{Plan: plan, Dial: (&net.Dialer{}).DialContext, Reuse: reuse}
		for range 50 {
			require.Equal(t, fetch.Result{Status: 200}, summary(c.Fetch(ctx, fetch.Inline, plan.Choose(rng))))
		}
		c.Close()
	}

	// A value that changed behind the fixture's back is a wrong value.
	require.NoError(t, server.Write(ctx, 1, 1, "another value"))
	outcomes := map[fetch.Outcome]int{}
	c := &fetch.Client{Plan: plan, Dial: (&net.Dialer{}).DialContext, Reuse: true}
	defer c.Close()
	for range 100 {
		outcomes[c.Fetch(ctx, fetch.Inline, plan.Choose(rng)).Outcome]++
	}
	require.Equal(t, 100, outcomes[fetch.OK]+outcomes[fetch.Wrong])
	require.InDelta(t, 25, outcomes[fetch.Wrong], 15)

	// Another project's token is refused.
	server.Fixture.Tenants[0].JWT = server.Fixture.Tenants[1].JWT
	server.Fixture.Tenants = server.Fixture.Tenants[:1]
	foreign, err := fetch.NewPlan(server.Fixture)
	require.NoError(t, err)
	c2 := &fetch.Client{Plan: foreign, Dial: (&net.Dialer{}).DialContext}
	got := summary(c2.Fetch(ctx, fetch.Inline, foreign.Choose(rng)))
	require.Equal(t, fetch.Failed, got.Outcome)
	require.Equal(t, fetch.ClassStatus, got.Class)
	require.GreaterOrEqual(t, got.Status, 400)
}

// TestLogins fetches by login and read, with and without revocation, over one connection a fetch or
// one for all. A revoked token leaves no lease behind, one that is not leaves one.
func TestLogins(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	server, err := baotest.Start(ctx, 2, 2)
	require.NoError(t, err)
	defer server.Stop()
	plan, err := fetch.NewPlan(server.Fixture)
	require.NoError(t, err)
	require.NoError(t, plan.Supports(fetch.LoginReadRevoke))
	rng := rand.New(rand.NewPCG(1, 1))
	const n = 10
	leases := func() int {
		leases, err := server.Leases(ctx, 0)
		require.NoError(t, err)
		return leases
	}
	part, err := plan.PartOf(big.NewRat(0, 1), big.NewRat(1, 2))
	require.NoError(t, err)
	for _, tc := range []struct {
		mode   fetch.Mode
		reuse  bool
		steps  []fetch.Step
		leases int
	}{
		{fetch.LoginReadRevoke, false, []fetch.Step{
			"connect", "first_byte", "login", "first_byte", "read", "first_byte",
			"revoke",
		}, 0},
		{fetch.LoginRead, false, []fetch.Step{"connect", "first_byte", "login", "first_byte", "read"}, n},
		{fetch.LoginRead, true, []fetch.Step{"first_byte", "login", "first_byte", "read"}, n},
	} {
		before := leases()
		c := &fetch.Client{Plan: plan, Dial: (&net.Dialer{}).DialContext, Reuse: tc.reuse, Rand: rng}
		for i := range n {
			r := c.Fetch(ctx, tc.mode, plan.Select(&fetch.Selection{Choice: "cold"}, part, rng))
			require.Equal(t, fetch.Result{Status: 200}, summary(r))
			require.Equal(t, string(tc.mode), r.Kind)
			var names []fetch.Step
			sum := time.Duration(0)
			for _, s := range r.Steps {
				names = append(names, s.Step)
				if s.Step == fetch.StepLogin || s.Step == fetch.StepRead || s.Step == fetch.StepRevoke {
					sum += s.Duration
				}
			}
			if i > 0 {
				require.Equal(t, tc.steps, names)
			}
			require.LessOrEqual(t, sum, r.Duration)
			require.Greater(t, sum, r.Duration*9/10, "the calls are what a fetch consists of")
		}
		c.Close()
		require.Equal(t, tc.leases, leases()-before, "%s", tc.mode)
	}

	// A wrong value is told although the revocation after it succeeds; a refused login is told as
	// the step that failed.
	require.NoError(t, server.Write(ctx, 1, 1, "another value"))
	outcomes := map[fetch.Outcome]int{}
	c := &fetch.Client{Plan: plan, Dial: (&net.Dialer{}).DialContext, Reuse: true, Rand: rng}
	defer c.Close()
	for range 40 {
		r := c.Fetch(ctx, fetch.LoginReadRevoke, plan.Choose(rng))
		outcomes[r.Outcome]++
		require.Equal(t, 200, r.Status)
	}
	require.Equal(t, 40, outcomes[fetch.OK]+outcomes[fetch.Wrong])
	require.InDelta(t, 10, outcomes[fetch.Wrong], 9)
	server.Fixture.Tenants[0].JWT = server.Fixture.Tenants[1].JWT
	foreign, err := fetch.NewPlan(server.Fixture)
	require.NoError(t, err)
	c.Plan = foreign
	r := c.Fetch(ctx, fetch.LoginRead, foreign.Select(&fetch.Selection{Choice: "hot", HotTenants: 1, HotShare: 1},
		foreign.Whole(), rng))
	require.Equal(t, fetch.StepLogin, r.FailedStep)
	require.Equal(t, fetch.ClassStatus, r.Class)
	require.Equal(t, 1, r.Attempts, "no read without a token")
}

// summary leaves out what differs from run to run.
func summary(r fetch.Result) fetch.Result {
	r.Start, r.Duration = time.Time{}, 0
	r.Kind, r.Attempts, r.Failures, r.Steps = "", 0, nil, nil
	return r
}
