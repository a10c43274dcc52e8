package platform

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/topology"
)

// TestArrange: as many installations as memory, CPUs and work allow; more than that is refused.
func TestArrange(t *testing.T) {
	t.Parallel()
	openbao, err := chart.Load("../../charts/openbao")
	require.NoError(t, err)
	dialect, err := topology.DialectNamed("gitlab")
	require.NoError(t, err)
	work := []scenario.Scenario{{Expected: 5 * time.Minute}}
	little := []scenario.Scenario{{Expected: 20 * time.Second}}
	roomy, two := Host{MemoryMiB: 16000, CPUs: 2}, topology.Names()
	for name, c := range map[string]struct {
		list       []scenario.Scenario
		host       Host
		topologies []string
		change     func(*plan.Plan)
		want       Layout
		refused    string
	}{
		"one topology":             {work, roomy, two[:1], nil, Layout{4, false}, ""},
		"both":                     {work, roomy, two, nil, Layout{2, true}, ""},
		"more CPUs":                {work, Host{64000, 16}, two[:1], nil, Layout{5, false}, ""},
		"little to do":             {little, roomy, two[:1], nil, Layout{1, false}, ""},
		"little to do in both":     {little, roomy, two, nil, Layout{1, true}, ""},
		"load follows":             {work, roomy, two, func(p *plan.Plan) { p.Load = true }, Layout{4, false}, ""},
		"memory for three":         {work, Host{clusterMiB + 3*installationMiB, 2}, two[:1], nil, Layout{3, false}, ""},
		"memory for one":           {work, Host{clusterMiB + 1, 2}, two, nil, Layout{1, false}, ""},
		"nothing is known of both": {work, Host{CPUs: 2}, two, nil, Layout{1, false}, ""},
		"nothing is known":         {work, Host{CPUs: 2}, two[:1], nil, Layout{1, false}, ""},
		"asked":                    {little, roomy, two, func(p *plan.Plan) { p.Shards = 3 }, Layout{3, true}, ""},
		"asked, one after the other": {
			work, Host{clusterMiB + 3*installationMiB, 2}, two, func(p *plan.Plan) { p.Shards = 3 }, Layout{3, false}, "",
		},
		"asked for too many": {
			work,
			Host{clusterMiB + 2*installationMiB, 2},
			two, func(p *plan.Plan) { p.Shards = 3 },
			Layout{},
			"3 installations and the cluster take about 2880 MiB of memory, and 2432 MiB are available",
		},
		"asked for one": {work, Host{100, 2}, two, func(p *plan.Plan) { p.Shards = 1 }, Layout{1, false}, ""},
		"an existing cluster": {
			work, roomy, two[:1], func(p *plan.Plan) { p.Cluster.Context = "theirs" },
			Layout{1, false},
			"",
		},
		"asked on an existing cluster": {
			work, roomy, two[:1], func(p *plan.Plan) { p.Cluster.Context, p.Shards = "theirs", 2 },
			Layout{},
			"what an existing cluster has left is not known",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &Provider{Plan: &plan.Resolved{
				Plan:  plan.Plan{Topologies: c.topologies, Scenarios: scenario.All},
				Chart: openbao, Dialect: dialect,
			}}
			if c.change != nil {
				c.change(&p.Plan.Plan)
			}
			err := p.Arrange(c.list, c.host)
			if c.refused != "" {
				require.Equal(t, exit.Invalid, exit.CodeOf(err))
				require.ErrorContains(t, err, c.refused)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, p.Layout)
		})
	}
}

// TestShard: every installation at once has names and a port of its own.
func TestShard(t *testing.T) {
	t.Parallel()
	p := &Platform{Cluster: &cluster.Cluster{HostPort: 1, ShardPort: 10, Shards: 3}}
	seen := map[any]bool{}
	for place, at := range []struct {
		name   string
		number int
	}{
		{topology.CloudNative, 1},
		{topology.CloudNative, 2},
		{topology.CloudNativeHybrid, 1},
		{topology.CloudNativeHybrid, 2},
	} {
		spec := Shard(topology.Spec{Topology: at.name, NodePort: cluster.NodePort}, at.number, place)
		for _, own := range []any{spec.NodePort, p.ClusterFor(spec).HostPort, at.name + spec.Suffix} {
			require.False(t, seen[own], own)
			seen[own] = true
		}
	}
	require.True(t, seen[1], "the first keeps the cluster's port")
	require.Zero(t, Shard(topology.Spec{}, 2, 1).NodePort, "an existing cluster is forwarded to")
}

// TestFitCluster: a cluster of before may have fewer ports.
func TestFitCluster(t *testing.T) {
	t.Parallel()
	for _, asked := range []plan.Shards{0, 3} {
		p := &Platform{
			Cluster: &cluster.Cluster{Name: "kept", Shards: 1},
			Provider: &Provider{
				Plan:   &plan.Resolved{Plan: plan.Plan{Topologies: topology.Names(), Shards: asked}},
				Layout: Layout{3, true},
			},
		}
		err := p.fitCluster()
		require.Equal(t, asked > 0, exit.CodeOf(err) == exit.Invalid, err)
		if asked == 0 {
			require.NoError(t, err)
			require.Equal(t, Layout{2, false}, p.Provider.Layout)
		}
	}
}
