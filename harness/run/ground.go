package run

import (
	"context"
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
func (r *Run) startEngine(ctx context.Context) error {
	opts := r.Engine
	opts.Log = r.UI.Note
	e, err := engine.Detect(ctx, opts)
	if err != nil {
		return err
	}
	r.engine = e
	r.result.Run.Host.Engine = e.String()
	r.UI.Note("using " + e.String())
	me, err := cluster.Me(r.Root, r.Cache)
	if err != nil {
		return err
	}
	r.kind, err = cluster.NewKind(e, me, r.UI.Note)
	return err
}

func (r *Run) clusterOptions() cluster.Options {
	c := r.Plan.Cluster
	opts := cluster.Options{
		Name: c.Name, Run: r.result.Run.ID, Config: c.Config, HostPort: c.Port, Second: r.Second, SecondPort: r.SecondPort,
		TTL: time.Duration(c.TTL), Keep: c.Keep,
		ImageDir: filepath.Join(r.Cache, "images"),
	}
	if node, ok := r.images[images.Node]; ok {
		opts.Node = &node
	}
	for _, image := range r.workloads() {
		if image.Ref != "" {
			opts.Images = append(opts.Images, image)
		}
	}
	return opts
}

// reusable is the name of the cluster that the plan may use; empty: it makes one.
func (r *Run) reusable(ctx context.Context) (string, error) {
	if !r.Plan.Cluster.Reuse {
		return "", nil
	}
	return r.kind.Reusable(ctx, r.clusterOptions())
}

// checkCluster finds out early, before minutes of building, that the cluster could not be made.
// What a crashed run of the same owner left behind is removed.
func (r *Run) checkCluster(ctx context.Context) error {
	removed, err := r.kind.RemoveAbandoned(ctx, r.clusterOptions())
	for _, name := range removed {
		r.UI.Note("removed cluster " + name + ", which an earlier run left behind")
	}
	if err != nil {
		return err
	}
	reuse, err := r.reusable(ctx)
	if err != nil || reuse != "" {
		return err
	}
	return r.kind.Check(ctx, r.clusterOptions())
}

// provideImages builds or finds the images and k6.
func (r *Run) provideImages(ctx context.Context) error {
	r.Images.Progress = r.UI.Work
	wanted := []string{images.OpenBao, images.PostgreSQL, images.GitLabStub, images.Node}
	if r.Plan.InCluster != nil {
		wanted = append(wanted, images.K6)
	}
	list, err := r.Images.Ensure(ctx, r.replaced(wanted...)...)
	if err != nil {
		return err
	}
	for _, image := range list {
		r.images[image.Name] = image
	}
	if !r.Plan.Load {
		return nil
	}
	if r.k6, err = r.Images.K6Binary(ctx); err != nil {
		return exit.Environmentf("k6", "steamer images build k6 shows the build", "%w", err)
	}
	return nil
}

// upCluster makes or reuses the cluster with its images in it. Beside that, because making a
// cluster is mostly waiting, the engine gets what it runs itself.
func (r *Run) upCluster(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.loadMachine(ctx) })
	group.Go(func() error { return r.openCluster(ctx) })
	return group.Wait()
}

func (r *Run) openCluster(ctx context.Context) error {
	reuse, err := r.reusable(ctx)
	if err != nil {
		return err
	}
	if reuse != "" {
		r.UI.Note("reusing cluster " + reuse)
		if r.cluster, err = r.kind.Open(ctx, reuse); err == nil {
			err = r.cluster.Rejoin(ctx)
		}
	} else {
		r.cluster, err = r.kind.Up(ctx, r.clusterOptions())
	}
	if err != nil {
		return err
	}
	if r.Plan.Cluster.Keep || !r.cluster.Created { // what was there before the run stays after it
		r.UI.Note("the cluster stays: " + WayIn(r.engine, r.cluster))
	} else {
		r.undoLater("cluster", func(ctx context.Context) error { return r.kind.DeleteMade(ctx, r.cluster.Name) })
	}
	if r.cluster.Created {
		return nil // its images came with it
	}
	return r.cluster.Load(ctx, r.workloads()...)
}

// workloads are the images that pods of the run use.
func (r *Run) workloads() []images.Image {
	all := []images.Image{r.images[images.OpenBao], r.images[images.PostgreSQL], r.images[images.GitLabStub]}
	if r.Plan.InCluster != nil {
		all = append(all, r.images[images.K6])
	}
	for _, ref := range r.Also {
		all = append(all, r.named("beside the plan's", ref))
	}
	return all
}

// loadMachine puts PostgreSQL's image into the engine, where the hybrid topology runs it.
func (r *Run) loadMachine(ctx context.Context) error {
	if !slices.Contains(r.Plan.Topologies, topology.CloudNativeHybrid) {
		return nil
	}
	postgresql := r.images[images.PostgreSQL]
	if _, err := r.engine.Run(ctx, "image", "inspect", postgresql.Ref); err == nil {
		return nil
	}
	provide := []string{"load", "--quiet", "--input", postgresql.Archive}
	if postgresql.Archive == "" {
		provide = []string{"pull", "--quiet", postgresql.Ref}
	}
	if _, err := r.engine.Run(ctx, provide...); err != nil {
		return exit.Environmentf("image "+postgresql.Ref, "steamer images build postgresql, or another --image", "%w", err)
	}
	return nil
}
