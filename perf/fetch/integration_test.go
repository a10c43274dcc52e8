package fetch_test

import (
	"context"
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
			require.Equal(t, fetch.Result{Status: 200}, summary(c.Fetch(ctx, plan.Choose(rng))))
		}
		c.Close()
	}

	// A value that changed behind the fixture's back is a wrong value.
	require.NoError(t, server.Write(ctx, 1, 1, "another value"))
	outcomes := map[fetch.Outcome]int{}
	c := &fetch.Client{Plan: plan, Dial: (&net.Dialer{}).DialContext, Reuse: true}
	defer c.Close()
	for range 100 {
		outcomes[c.Fetch(ctx, plan.Choose(rng)).Outcome]++
	}
	require.Equal(t, 100, outcomes[fetch.OK]+outcomes[fetch.Wrong])
	require.InDelta(t, 25, outcomes[fetch.Wrong], 15)

	// Another project's token is refused.
	server.Fixture.Tenants[0].JWT = server.Fixture.Tenants[1].JWT
	server.Fixture.Tenants = server.Fixture.Tenants[:1]
	foreign, err := fetch.NewPlan(server.Fixture)
	require.NoError(t, err)
	c2 := &fetch.Client{Plan: foreign, Dial: (&net.Dialer{}).DialContext}
	got := summary(c2.Fetch(ctx, foreign.Choose(rng)))
	require.Equal(t, fetch.Failed, got.Outcome)
	require.Equal(t, fetch.ClassStatus, got.Class)
	require.GreaterOrEqual(t, got.Status, 400)
}

// summary leaves out what differs from run to run.
func summary(r fetch.Result) fetch.Result {
	r.Start, r.Duration = time.Time{}, 0
	return r
}
