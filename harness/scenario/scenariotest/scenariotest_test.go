package scenariotest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/scenario/scenariotest"
)

// TestSuite runs two scenarios as subtests; that a failed one fails its subtest is go test's own
// doing.
func TestSuite(t *testing.T) {
	issuer, err := gitlab.NewIssuer("http://127.0.0.1:1", gitlab.ES256)
	require.NoError(t, err)
	env := &scenario.Env{
		Topology: "cloud-native", Address: "http://127.0.0.1:1", Issuer: issuer,
		Tenants: make([]gitlab.Tenant, 1),
	}
	list := []scenario.Scenario{
		{ID: "group/fine", Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			deadline, ok := ctx.Deadline()
			require.True(t, ok && time.Until(deadline) <= time.Minute, "the budget bounds it")
			require.NotZero(t, env.Timeouts.Fetch)
			t.Measure("seconds", 1)
		}},
		{ID: "group/elsewhere", Features: []scenario.Feature{scenario.FeatureCluster}, Test: func(context.Context, scenario.T,
			*scenario.Env,
		) {
			panic("it does not run here")
		}},
	}
	for i := range list {
		list[i].Title, list[i].Protects, list[i].Source = "t", "p", "s"
		list[i].Kind, list[i].Budget = scenario.Functional, time.Minute
	}
	out, err := scenariotest.Suite(t)(t.Context(), env, list, scenario.Options{})
	require.NoError(t, err)
	require.Equal(t, []result.Status{result.Passed, result.Skipped}, []result.Status{out[0].Status, out[1].Status})
	require.Contains(t, out[1].Reason, "does not run on a Kubernetes cluster")

	list[1].ID = "group/fine"
	_, err = scenariotest.Suite(t)(t.Context(), env, list, scenario.Options{})
	require.ErrorContains(t, err, "occurs twice")
}
