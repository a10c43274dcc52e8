package platform

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/topology"
)

// startEngine finds or starts the container engine.
func (p *Platform) startEngine(ctx context.Context) error {
	opts := p.Provider.Engine
	opts.Log = p.Steps.UI.Note
	e, err := engine.Detect(ctx, opts)
	if err != nil {
		return err
	}
	p.Engine = e
	p.Steps.UI.Note("using " + e.String())
	me, err := cluster.Me(p.Provider.Root, p.Provider.Cache)
	if err != nil {
		return err
	}
	p.kind, err = cluster.NewKind(e, me, p.Steps.UI.Note)
	return err
}

func (p *Platform) clusterOptions() cluster.Options {
	c := p.Provider.Plan.Cluster
	opts := cluster.Options{
		Name: c.Name, Run: p.ID, Config: c.Config, HostPort: c.Port,
		Second: p.Provider.Second, SecondPort: p.Provider.SecondPort,
		Shards: max(0, p.Provider.Layout.installations(len(p.Provider.Plan.Topologies))-1),
		TTL:    time.Duration(c.TTL), Keep: c.Keep, ImageDir: filepath.Join(p.Provider.Cache, "images"),
	}
	if node, ok := p.Images[images.Node]; ok {
		opts.Node = &node
	}
	for _, image := range p.workloads() {
		if image.Ref != "" {
			opts.Images = append(opts.Images, image)
		}
	}
	return opts
}

// reusable is the name of the cluster that the plan may use; "" where it makes one.
func (p *Platform) reusable(ctx context.Context) (string, error) {
	if !p.Provider.Plan.Cluster.Reuse {
		return "", nil
	}
	return p.kind.Reusable(ctx, p.clusterOptions())
}

// checkCluster finds out early, before minutes of building, that the cluster could not be made.
// What a crashed run of the same owner left behind is removed.
func (p *Platform) checkCluster(ctx context.Context) error {
	removed, err := p.kind.RemoveAbandoned(ctx, p.clusterOptions())
	for _, name := range removed {
		p.Steps.UI.Note("removed cluster " + name + ", which an earlier run left behind")
	}
	if err != nil {
		return err
	}
	reuse, err := p.reusable(ctx)
	if err != nil || reuse != "" {
		return err
	}
	return errors.Join(cluster.CheckInotify(), p.kind.Check(ctx, p.clusterOptions()))
}

// upCluster makes or reuses the cluster with its images in it. Beside that, because making a
// cluster is mostly waiting, the engine gets what it runs itself.
func (p *Platform) upCluster(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.loadMachine(ctx) })
	group.Go(func() error { return p.openCluster(ctx) })
	return group.Wait()
}

func (p *Platform) openCluster(ctx context.Context) error {
	reuse, err := p.reusable(ctx)
	if err != nil {
		return err
	}
	if reuse != "" {
		p.Steps.UI.Note("reusing cluster " + reuse)
		if p.Cluster, err = p.kind.Open(ctx, reuse); err == nil {
			err = p.Cluster.Rejoin(ctx)
		}
	} else {
		p.Cluster, err = p.kind.Up(ctx, p.clusterOptions())
	}
	if err != nil {
		return err
	}
	if p.Ends() {
		p.Steps.Cleanup("cluster", func(ctx context.Context) error { return p.kind.DeleteMade(ctx, p.Cluster.Name) })
	} else { // what was there before the run stays after it
		p.Steps.UI.Note("the cluster stays: " + WayIn(p.Engine, p.Cluster))
	}
	if p.Cluster.Created {
		return nil // its images came with it
	}
	return p.Cluster.Load(ctx, p.workloads()...)
}

// loadMachine puts PostgreSQL's image into the engine, where the hybrid topology runs it.
func (p *Platform) loadMachine(ctx context.Context) error {
	if !slices.Contains(p.Provider.Plan.Topologies, topology.CloudNativeHybrid) {
		return nil
	}
	postgresql := p.Images[images.PostgreSQL]
	if _, err := p.Engine.Run(ctx, "image", "inspect", postgresql.Ref); err == nil {
		return nil
	}
	provide := []string{"load", "--quiet", "--input", postgresql.Archive}
	if postgresql.Archive == "" {
		provide = []string{"pull", "--quiet", postgresql.Ref}
	}
	if _, err := p.Engine.Run(ctx, provide...); err != nil {
		return exit.Environmentf("image "+postgresql.Ref, "steamer images build postgresql, or another --image", "%w", err)
	}
	return nil
}
