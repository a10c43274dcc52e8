package platform

import (
	"time"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/topology"
)

// Spec is what the plan installs in a topology. Images that the plan does not name have references
// that charts can be rendered with, and no more.
func (p *Provider) Spec(name string) topology.Spec {
	return topology.Spec{
		Topology: name, Run: "preflight", Chart: p.Plan.Chart, Dialect: p.Plan.Dialect, Overrides: p.Plan.Overrides,
		Resources: resources(p.Plan.Tier), Fixtures: p.Plan.Fixtures, NodePort: p.nodePort(), TLS: p.Plan.TLS,
		ReadyTimeout: time.Duration(p.Plan.ReadyTimeout), Signing: p.Plan.Profile.Algorithm(),
		Images: topology.Images{
			OpenBao: p.reference(p.server()), PostgreSQL: p.reference(images.PostgreSQL),
			GitLabStub: p.reference(images.GitLabStub),
		},
	}
}

// reference is the plan's for an image, or one that is as good for rendering.
func (p *Provider) reference(name string) string {
	if ref, ok := p.Plan.Images[name]; ok {
		return p.named(name, ref).Ref
	}
	return images.Repository + "/" + name + ":preflight"
}

// Second turns what is to be installed into the second environment beside a first: it gets names
// and a port of its own.
func Second(spec topology.Spec) topology.Spec {
	spec.Suffix = SecondSuffix
	if spec.NodePort != 0 {
		spec.NodePort = cluster.SecondNodePort
	}
	return spec
}

// nodePort is the port of the active Service: kind maps it to the host, an existing cluster is
// forwarded to instead.
func (p *Provider) nodePort() int {
	if p.Plan.Cluster.Existing() {
		return 0
	}
	return cluster.NodePort
}

// resources gives OpenBao the tier's limits. Requests stay small: on a shared test host they would
// only keep the second pod from being scheduled, and requests do not slow a pod down.
func resources(tier load.Tier) topology.Resources {
	return topology.Resources{
		CPURequest: "100m", CPULimit: tier.CPULimit, MemoryRequest: "256Mi",
		MemoryLimit: tier.Memory,
	}
}
