package fetch

import (
	"context"
	"math/big"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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

	plan, err := NewPlan(server.Fixture)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 1))
	for _, reuse := range []bool{false, true} {
		c := &Client{Plan: plan, Dial: (&net.Dialer{}).DialContext, Reuse: reuse}
		for range 50 {
			require.Equal(t, Result{Status: 200}, summary(c.Fetch(ctx, Inline, choose(plan, rng))))
		}
		c.Close()
	}

	// A value that changed behind the fixture's back is a wrong value.
	require.NoError(t, server.Write(ctx, 1, 1, "another value"))
	outcomes := map[Outcome]int{}
	c := &Client{Plan: plan, Dial: (&net.Dialer{}).DialContext, Reuse: true}
	defer c.Close()
	for range 100 {
		outcomes[c.Fetch(ctx, Inline, choose(plan, rng)).Outcome]++
	}
	require.Equal(t, 100, outcomes[OK]+outcomes[Wrong])
	require.InDelta(t, 25, outcomes[Wrong], 15)

	// Another project's token is refused.
	server.Fixture.Tenants[0].JWT = server.Fixture.Tenants[1].JWT
	server.Fixture.Tenants = server.Fixture.Tenants[:1]
	foreign, err := NewPlan(server.Fixture)
	require.NoError(t, err)
	c2 := &Client{Plan: foreign, Dial: (&net.Dialer{}).DialContext}
	got := summary(c2.Fetch(ctx, Inline, choose(foreign, rng)))
	require.Equal(t, Failed, got.Outcome)
	require.Equal(t, classStatus, got.Class)
	require.GreaterOrEqual(t, got.Status, 400)
}

// TestLogins fetches by login and read, with and without revocation, over one connection a fetch
// or one for all. A revoked token leaves no lease behind, one that is not leaves one.
func TestLogins(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	server, err := baotest.Start(ctx, 2, 2)
	require.NoError(t, err)
	defer server.Stop()
	plan, err := NewPlan(server.Fixture)
	require.NoError(t, err)
	require.NoError(t, plan.Supports(loginReadRevoke))
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
		mode   Mode
		reuse  bool
		steps  []Step
		leases int
	}{
		{loginReadRevoke, false, []Step{
			"connect", "first_byte", "login", "first_byte", "read", "first_byte",
			"revoke",
		}, 0},
		{loginRead, false, []Step{"connect", "first_byte", "login", "first_byte", "read"}, n},
		{loginRead, true, []Step{"first_byte", "login", "first_byte", "read"}, n},
	} {
		before := leases()
		c := &Client{Plan: plan, Dial: (&net.Dialer{}).DialContext, Reuse: tc.reuse, Rand: rng}
		share := 0.0
		for i := range n {
			r := c.Fetch(ctx, tc.mode, plan.Select(&Selection{Choice: "cold"}, part, rng))
			require.Equal(t, Result{Status: 200}, summary(r))
			require.Equal(t, string(tc.mode), r.Kind)
			var names []Step
			sum := time.Duration(0)
			for _, s := range r.Steps {
				names = append(names, s.Step)
				if s.Step == stepLogin || s.Step == stepRead || s.Step == stepRevoke {
					sum += s.Duration
				}
			}
			if i > 0 {
				require.Equal(t, tc.steps, names)
			}
			require.LessOrEqual(t, sum, r.Duration)
			share = max(share, float64(sum)/float64(r.Duration))
		}
		require.Greater(t, share, 0.9, "the calls are what a fetch consists of, where nothing else ran")
		c.Close()
		require.Equal(t, tc.leases, leases()-before, "%s", tc.mode)
	}

	// A wrong value is reported although the revocation after it succeeds. A refused login is the
	// step that failed.
	require.NoError(t, server.Write(ctx, 1, 1, "another value"))
	outcomes := map[Outcome]int{}
	c := &Client{Plan: plan, Dial: (&net.Dialer{}).DialContext, Reuse: true, Rand: rng}
	defer c.Close()
	for range 40 {
		r := c.Fetch(ctx, loginReadRevoke, choose(plan, rng))
		outcomes[r.Outcome]++
		require.Equal(t, 200, r.Status)
	}
	require.Equal(t, 40, outcomes[OK]+outcomes[Wrong])
	require.InDelta(t, 10, outcomes[Wrong], 9)
	server.Fixture.Tenants[0].JWT = server.Fixture.Tenants[1].JWT
	foreign, err := NewPlan(server.Fixture)
	require.NoError(t, err)
	c.Plan = foreign
	r := c.Fetch(ctx, loginRead, foreign.Select(&Selection{Choice: "hot", HotTenants: 1, HotShare: 1},
		foreign.Whole(), rng))
	require.Equal(t, stepLogin, r.FailedStep)
	require.Equal(t, classStatus, r.Class)
	require.Equal(t, 1, r.Attempts, "no read without a token")
}

// summary leaves out what differs from run to run.
func summary(r Result) Result {
	r.Start, r.Duration = time.Time{}, 0
	r.Kind, r.Attempts, r.HTTP2, r.Failures, r.Steps, r.at = "", 0, 0, nil, nil, ""
	return r
}
