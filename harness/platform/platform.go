// Package platform brings up what a topology is installed on: the container engine, the images and
// a kind cluster, or an existing cluster. Runs, comparisons, searches and kept environments all
// stand on one.
package platform

import (
	"context"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/topology"
)

// Provider brings up the platform that a plan asks for. Call Preflight before Up.
type Provider struct {
	// Plan says which cluster, which images and whether k6 are needed.
	Plan    *plan.Resolved
	Root    string          // source tree
	Cache   string          // of images, programs, the private engine and cluster marks
	Builder *images.Builder // builds what the cache lacks
	Engine  engine.Options

	// Second makes place for a second environment beside the first; SecondPort is its loopback
	// port, 0 for one that is chosen.
	Second     bool
	SecondPort int
	// Layout is what Arrange decided; zero is one installation at a time.
	Layout Layout
	// Elsewhere says that the cluster will be in another network namespace than this process is
	// in: the ports of this one do not matter.
	Elsewhere bool
	// Named are images that flags name, pulled into archives already, by their references. A
	// cluster without a way out cannot pull them itself.
	Named map[string]images.Image
	// Also are references of further images that will be used beside the plan's.
	Also []string

	existing *cluster.Cluster // that Preflight opened
}

// Platform is what topologies are installed on.
type Platform struct {
	ID      string                  // owner of everything that is made on it: the run's or the comparison's
	Cluster *cluster.Cluster        // nil until it is up
	Engine  *engine.Engine          // nil on an existing cluster
	K6      string                  // path of the load generator; "" where the plan has no load
	Images  map[string]images.Image // by name

	Provider *Provider    // that brought it up
	Steps    *steps.Steps // by which it was brought up, and is cleaned up

	kind *cluster.Kind
}

// Up brings the platform up step by step, and registers what undoes it with the steps. Where that
// fails, the platform describes how far it came. id owns what is made.
func (p *Provider) Up(ctx context.Context, id string, s *steps.Steps) (*Platform, error) {
	type step struct {
		name string
		do   func(context.Context) error
	}
	up := &Platform{ID: id, Images: map[string]images.Image{}, Cluster: p.existing, Provider: p, Steps: s}
	all := []step{
		{"engine", up.startEngine},
		{"check cluster", up.checkCluster},
		{"images", up.provideImages},
		{"cluster", up.upCluster},
	}
	if p.Plan.Cluster.Existing() {
		all = []step{{"images", up.provideK6}}
	}
	for _, step := range all {
		if err := s.Do(ctx, "", step.name, step.do); err != nil {
			return up, err
		}
	}
	if p.Second && up.Cluster.SecondPort == 0 {
		return up, exit.Invalidf("cluster "+up.Cluster.Name, "leave --reuse out, or choose another --cluster",
			"it was made without a port for a second system")
	}
	return up, up.fitCluster()
}

// Describe names the engine, or the existing cluster; "" before either is known.
func (p *Platform) Describe() string {
	switch {
	case p.Engine != nil:
		return p.Engine.String()
	case p.Cluster != nil:
		return "none: " + p.Cluster.Name
	}
	return ""
}

// Root is the source tree.
func (p *Platform) Root() string { return p.Provider.Root }

// Existing reports whether the cluster is not Steamer's.
func (p *Platform) Existing() bool { return p.Provider.Plan.Cluster.Existing() }

// Ends reports whether the cluster is removed as a whole when the command ends.
func (p *Platform) Ends() bool { return p.Cluster.Created && !p.Provider.Plan.Cluster.Keep }

// WayIn is the command by which a person reaches a cluster that stays.
func WayIn(e *engine.Engine, c *cluster.Cluster) string {
	if e != nil && e.Private { // its addresses mean nothing outside the engine's network namespace
		return "steamer cluster exec --name " + c.Name + " -- kubectl get pods --all-namespaces"
	}
	return "export KUBECONFIG=" + c.Kubeconfig
}

// SecondSuffix ends the names of a second environment.
const SecondSuffix = "-b"

// Spec is what the plan installs in a topology, with the images that are up.
func (p *Platform) Spec(name string) topology.Spec {
	spec := p.Provider.Spec(name)
	spec.Run = p.ID
	spec.Images = topology.Images{
		OpenBao: p.Images[p.Provider.server()].Ref, PostgreSQL: p.Images[images.PostgreSQL].Ref,
		GitLabStub: p.Images[images.GitLabStub].Ref,
	}
	return spec
}

// ClusterFor is the cluster with the port that leads to an environment.
func (p *Platform) ClusterFor(spec topology.Spec) *cluster.Cluster {
	own := *p.Cluster
	switch {
	case spec.NodePort >= cluster.FirstShardNodePort:
		own.HostPort = p.Cluster.ShardPort + spec.NodePort - cluster.FirstShardNodePort
	case spec.Suffix == SecondSuffix:
		own.HostPort = p.Cluster.SecondPort
	default:
		return p.Cluster
	}
	return &own
}

// Image is the reference by which the cluster has one of Provider.Also.
func (p *Platform) Image(ref string) string { return p.Provider.named("", ref).Ref }
