package topology

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// TestEveryChangeReachesTheChart renders the reference chart before and after each change that
// scenarios ask for.
func TestEveryChangeReachesTheChart(t *testing.T) {
	t.Parallel()
	dialect, err := DialectNamed("gitlab")
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		change string
		with   map[string]any
	}{
		"cache size":   {scenario.ChangeCacheSize, map[string]any{"size": 4711}},
		"pod label":    {scenario.ChangePodLabel, map[string]any{"name": "team/of", "value": "yes"}},
		"rolling":      {scenario.ChangeRolling, map[string]any{"stamp": "now"}},
		"two keys":     {scenario.ChangeUnsealKey, keys("b", "new", "a", "old")},
		"one key left": {scenario.ChangeUnsealKey, keys("b", "new", "", "")},
	} {
		change, with := tc.change, tc.with
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := chart.Load("../../charts/openbao")
			require.NoError(t, err)
			env, err := New(nil, nil, Spec{
				Topology: CloudNativeHybrid, Chart: c, Dialect: dialect, Images: Images{OpenBao: "x/openbao:1"},
				Resources: Resources{"1", "1", "1Gi", "1Gi"},
			}, nil)
			require.NoError(t, err)
			changer := env.Changer()
			require.True(t, changer.Knows(change))
			values, err := changer.Change(change, with)
			require.NoError(t, err)
			before, err := c.Render(chart.Rendering{Release: "openbao", Namespace: env.Namespace}, env.values)
			require.NoError(t, err)
			changer.Adopt(values)
			after, err := c.Render(chart.Rendering{Release: "openbao", Namespace: env.Namespace}, env.values)
			require.NoError(t, err)
			workload := "openbao/templates/deployment.yaml"
			require.NotEqual(t, before[workload], after[workload], "the pods do not change")
			_, err = changer.Change(change, map[string]any{})
			require.Error(t, err, "a change without what it needs must not render")
		})
	}
	c, err := chart.Load("../../charts/postgresql")
	require.NoError(t, err)
	other := (&Environment{Spec: Spec{Dialect: dialect, Chart: c}}).Changer()
	require.False(t, other.Knows("moon"))
	require.False(t, other.Knows(scenario.ChangeRolling), "the chart has no key strategy")
	_, err = dialect.Change("moon", nil)
	require.ErrorContains(t, err, "moon")
}

// keys is what the change of the unseal key needs; without a previous key its fields are empty.
func keys(id, secret, previousID, previousSecret string) map[string]any {
	key := ""
	if previousID != "" {
		key = "key"
	}
	return map[string]any{
		"id": id, "secret": secret, "key": "key", "previousId": previousID, "previousSecret": previousSecret,
		"previousKey": key,
	}
}

// TestNetworkPolicyReachesTheChart renders the policy that lets in pods with a label.
func TestNetworkPolicyReachesTheChart(t *testing.T) {
	t.Parallel()
	dialect, err := DialectNamed("gitlab")
	require.NoError(t, err)
	c, err := chart.Load("../../charts/openbao")
	require.NoError(t, err)
	env, err := New(nil, nil, Spec{
		Topology: CloudNative, Chart: c, Dialect: dialect, Images: Images{OpenBao: "x/openbao:1"},
		Resources: Resources{"1", "1", "1Gi", "1Gi"},
	}, nil)
	require.NoError(t, err)
	changer := env.Changer()
	require.True(t, changer.Knows(scenario.ChangeNetworkPolicy))
	values, err := changer.Change(scenario.ChangeNetworkPolicy, map[string]any{"name": "steamer/probe", "value": "friend"})
	require.NoError(t, err)
	const policy = "openbao/templates/networkpolicy.yaml"
	files, err := changer.Render(nil)
	require.NoError(t, err)
	require.NotContains(t, files[policy], "NetworkPolicy", "without the change")
	files, err = changer.Render(values)
	require.NoError(t, err)
	require.Contains(t, files[policy], "steamer/probe: friend")
}
