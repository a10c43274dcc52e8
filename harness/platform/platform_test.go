package platform

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/topology"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEveryTierBecomesPodResources(t *testing.T) {
	t.Parallel()
	for _, tier := range load.Tiers() {
		r := resources(tier)
		require.Equal(t, tier.CPULimit, r.CPULimit)
		require.Equal(t, tier.Memory, r.MemoryLimit)
	}
}

func TestHostIsDescribed(t *testing.T) {
	t.Parallel()
	h := ThisHost()
	require.Positive(t, h.CPUs)
	require.Positive(t, h.MemoryMiB)
	require.NotEmpty(t, h.Kernel)
	require.NotEmpty(t, h.OS)
}

// TestSpec: an environment gets the images that the plan names, archives of what flags name, and
// otherwise what was built; the second one names and a port of its own.
func TestSpec(t *testing.T) {
	t.Parallel()
	p := &Provider{
		Plan: &plan.Resolved{Plan: plan.Plan{Images: map[string]string{
			images.OpenBao: "registry.example/openbao:1", images.PostgreSQL: "registry.example/postgresql:1",
		}}},
		Named: map[string]images.Image{"registry.example/openbao:1": {Ref: "steamer.local/openbao:1", Archive: "a.tar"}},
	}
	planned := p.Spec(topology.CloudNative)
	require.Equal(t, topology.Images{
		OpenBao: "steamer.local/openbao:1", PostgreSQL: "registry.example/postgresql:1",
		GitLabStub: images.Repository + "/gitlab-stub:preflight",
	}, planned.Images)
	require.Equal(t, cluster.NodePort, planned.NodePort)

	up := &Platform{
		ID: "run", Provider: p, Cluster: &cluster.Cluster{Name: "c", HostPort: 1, SecondPort: 2},
		Images: map[string]images.Image{images.GitLabStub: {Ref: "steamer.local/gitlab-stub:2"}},
	}
	require.Equal(t, []string{images.Node}, up.replaced(images.OpenBao, images.PostgreSQL, images.Node))
	spec := up.Spec(topology.CloudNative)
	require.Equal(t, "run", spec.Run)
	require.Equal(t, topology.Images{
		OpenBao: "steamer.local/openbao:1", PostgreSQL: "registry.example/postgresql:1",
		GitLabStub: "steamer.local/gitlab-stub:2",
	}, spec.Images)
	require.Equal(t, 1, up.ClusterFor(spec).HostPort)

	second := Second(spec)
	require.Equal(t, SecondSuffix, second.Suffix)
	require.Equal(t, cluster.SecondNodePort, second.NodePort)
	require.Equal(t, 2, up.ClusterFor(second).HostPort)
	require.Equal(t, 1, up.Cluster.HostPort, "the first keeps its port")

	p.Plan.Cluster.Context = "theirs"
	require.Zero(t, Second(p.Spec(topology.CloudNative)).NodePort, "an existing cluster is forwarded to")
}

// TestEnds: only a cluster that this process made, and that is not to be kept, goes with it.
func TestEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ created, keep, ends bool }{
		"made": {true, false, true}, "made to stay": {true, true, false}, "there before": {false, false, false},
	} {
		p := &Platform{
			Cluster:  &cluster.Cluster{Created: tc.created},
			Provider: &Provider{Plan: &plan.Resolved{Plan: plan.Plan{Cluster: plan.ClusterPlan{Keep: tc.keep}}}},
		}
		require.Equal(t, tc.ends, p.Ends(), name)
	}
}
