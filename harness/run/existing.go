package run

import (
	"context"
	"maps"
	"path/filepath"
	"slices"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/topology"
)

// checkGround finds out before any side effect whether the plan's cluster can be had: an existing one is opened and its rights are asked
// for; of a kind cluster everything is checked that needs no engine.
func (r *Run) checkGround(ctx context.Context) error {
	c := r.Plan.Cluster
	if c.Existing() {
		var err error
		r.cluster, err = cluster.OpenExisting(ctx, cluster.Existing{
			Kubeconfig: c.Kubeconfig, Context: c.Context, HostPort: c.Port, Namespaces: r.namespaces(), Loads: r.loadNamespaces(),
		})
		return err
	}
	if c.Reuse {
		return nil // its port is taken by itself
	}
	opts := cluster.Options{Name: c.Name, Config: c.Config, HostPort: c.Port, SecondPort: r.SecondPort}
	if r.Elsewhere {
		opts.HostPort, opts.SecondPort = 0, 0
	}
	return cluster.CheckInput(filepath.Join(r.Cache, "clusters"), opts)
}

// namespaces are those that the run makes.
func (r *Run) namespaces() []string {
	all := topology.Namespaces(r.Plan.Topologies...)
	if r.SecondPort != 0 {
		all = append(all, topology.NamespacesWith(SecondSuffix, r.Plan.Topologies...)...)
	}
	return all
}

// loadNamespaces are those that the run makes for pods that drive the load.
func (r *Run) loadNamespaces() []string {
	if r.Plan.InCluster == nil || !r.Plan.Load {
		return nil
	}
	var all []string
	for _, name := range r.Plan.Topologies {
		all = append(all, topology.Namespaces(name)[0]+loadSuffix)
	}
	return all
}

// nodePort is the port of the active Service: kind maps it to the host, an existing cluster is forwarded to instead.
func (r *Run) nodePort() int {
	if r.Plan.Cluster.Existing() {
		return 0
	}
	return cluster.NodePort
}

// replaced takes the images that the plan replaces, and returns those that still have to be built.
func (r *Run) replaced(wanted ...string) []string {
	r.images = map[string]images.Image{}
	return slices.DeleteFunc(wanted, func(name string) bool {
		ref, ok := r.Plan.Images[name]
		if ok {
			r.images[name] = r.named(name, ref)
		}
		return ok
	})
}

// named is an image that a flag or the plan names.
func (r *Run) named(name, ref string) images.Image {
	image, ok := r.Named[ref]
	if !ok {
		image = images.Image{Ref: ref, Pulled: true} // who runs it pulls it
	}
	image.Name = name
	return image
}

// NeedsEngine reports whether the run makes a cluster of its own.
func (r *Run) NeedsEngine() bool { return r.FullStack == nil && !r.Plan.Cluster.Existing() }

// Provide puts everything into the cache that the run needs from a network, so that the rest of it needs none. It returns the images that the plan names,
// pulled into archives, by their references.
func (r *Run) Provide(ctx context.Context) (map[string]images.Image, error) {
	r.frame("provide")
	named := map[string]images.Image{}
	err := r.step(ctx, "", "images", func(ctx context.Context) error {
		if err := r.provideImages(ctx); err != nil {
			return err
		}
		for _, ref := range append(slices.Collect(maps.Values(r.Plan.Images)), r.Also...) {
			image, err := r.Images.Named(ctx, ref)
			if err != nil {
				return err
			}
			named[ref] = image
		}
		return nil
	})
	return named, err
}

// provideK6 is all that a run on an existing cluster needs to build: the cluster pulls its images itself.
func (r *Run) provideK6(ctx context.Context) error {
	r.Images.Progress = r.UI.Work
	r.replaced(images.OpenBao, images.PostgreSQL, images.GitLabStub, images.K6)
	r.result.Run.Host.Engine = "none: " + r.cluster.Name
	if !r.Plan.Load {
		return nil
	}
	var err error
	if r.k6, err = r.Images.K6Binary(ctx); err != nil {
		return exit.Environmentf("k6", "steamer images build k6 shows the build", "%w", err)
	}
	return nil
}
