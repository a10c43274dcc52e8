package sizing_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/lab"
	"gitlab.com/steamer/steamer/harness/sizing"
)

// TestLocal grows and disturbs two real OpenBao on one PostgreSQL.
func TestLocal(t *testing.T) {
	ctx := t.Context()
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	l, err := lab.Open(ctx, lab.Tools{}, lab.Spec{
		Name: "test", Standby: true, Recipes: recipes[:1], Tenants: 1,
		Secrets: 1,
	})
	require.NoError(t, err)
	defer l.Close()
	site := sizing.Local(l)

	growth, err := site.Grow(ctx, 3)
	require.NoError(t, err)
	require.Equal(t, 2, growth.Tenants)
	require.Greater(t, growth.Calls, 20)
	require.Contains(t, growth.Limit, "OpenBao used")
	require.Greater(t, growth.MemoryMiB, 50.0)
	require.Len(t, site.Tenants(), 3)

	size, err := site.DatabaseMiB(ctx)
	require.NoError(t, err)
	require.Greater(t, size, 0.05)

	began := time.Now()
	seconds, err := site.Failover(ctx, false)
	require.NoError(t, err)
	require.Greater(t, seconds, 0.05)
	require.Less(t, seconds, time.Since(began).Seconds())
	health := l.Server.Nodes()
	require.NoError(t, l.Check(ctx, health[0].Address), "the first node leads again")

	seconds, err = site.Restart(ctx)
	require.NoError(t, err)
	require.Greater(t, seconds, 0.05)
	require.NoError(t, l.Check(ctx, health[1].Address), "the standby is back, and passes requests on")
}
