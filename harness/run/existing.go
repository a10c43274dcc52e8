package run

import (
	"context"
	"maps"
	"slices"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/load/pods"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/scenarios"
)

// checkGround finds out before any side effect whether the plan's cluster can be had: an existing
// one is opened and its rights are asked for; of a kind cluster everything is checked that needs no
// engine.
func (r *Run) checkGround(ctx context.Context, environments []*topology.Environment) error {
	c := r.Plan.Cluster
	if c.Existing() {
		needs, err := r.needs(environments)
		if err != nil {
			return err
		}
		port, second, err := r.forwardedPorts()
		if err != nil {
			return err
		}
		r.cluster, err = cluster.OpenExisting(ctx, cluster.Existing{
			Kubeconfig: c.Kubeconfig, Context: c.Context, HostPort: port, SecondPort: second, Needs: needs,
		})
		return err
	}
	if c.Reuse {
		return nil // its port is taken by itself
	}
	me, err := cluster.Me(r.Root, r.Cache)
	if err != nil {
		return err
	}
	opts := cluster.Options{Name: c.Name, Config: c.Config, HostPort: c.Port, Second: r.Second, SecondPort: r.SecondPort}
	if r.Elsewhere {
		opts.HostPort, opts.SecondPort = 0, 0
	}
	return cluster.CheckInput(me, opts)
}

// forwardedPorts are the loopback ports of an existing cluster's forwards; the second is 0 where
// there is none.
func (r *Run) forwardedPorts() (port, second int, err error) {
	if port = r.Plan.Cluster.Port; port == 0 {
		if port, err = cluster.FreePort(r.SecondPort); err != nil {
			return 0, 0, err
		}
	}
	if second = r.SecondPort; r.Second && second == 0 {
		second, err = cluster.FreePort(port)
	}
	return port, second, err
}

// needs are all rights that the run uses on an existing cluster.
func (r *Run) needs(environments []*topology.Environment) ([]cluster.Need, error) {
	list, err := scenario.Select(scenarios.All(), r.Plan.Scenarios)
	if err != nil {
		return nil, err
	}
	all := []cluster.Need{{Verbs: "get list create delete", Resource: "namespaces", For: "the run's own namespaces"}}
	for _, env := range environments {
		needs, err := env.Needs(list)
		if err != nil {
			return nil, err
		}
		all = append(all, needs...)
		if r.Plan.InCluster != nil && r.Plan.Load {
			all = append(all, pods.Needs(env.Namespace+loadSuffix)...)
		}
	}
	return all, nil
}

// nodePort is the port of the active Service: kind maps it to the host, an existing cluster is
// forwarded to instead.
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

// Provide puts everything into the cache that the run needs from a network, so that the rest of it
// needs none. It returns the images that the plan names, pulled into archives, by their references.
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

// provideK6 is all that a run on an existing cluster needs to build: the cluster pulls its images
// itself.
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
