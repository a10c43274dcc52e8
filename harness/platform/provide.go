package platform

import (
	"context"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/steps"
)

// NeedsEngine reports whether the platform has a cluster of its own.
func (p *Provider) NeedsEngine() bool { return !p.Plan.Cluster.Existing() }

// Provide puts everything into the cache that the platform needs from a network, so that Up needs
// none. It returns the images that the plan names, pulled into archives, by their references.
func (p *Provider) Provide(ctx context.Context, s *steps.Steps) (map[string]images.Image, error) {
	named := map[string]images.Image{}
	err := s.Do(ctx, "", "images", func(ctx context.Context) error {
		part := &Platform{Images: map[string]images.Image{}, Provider: p, Steps: s}
		if err := part.provideImages(ctx); err != nil {
			return err
		}
		for _, ref := range append(slices.Collect(maps.Values(p.Plan.Images)), p.Also...) {
			image, err := p.Builder.Named(ctx, ref)
			if err != nil {
				return err
			}
			named[ref] = image
		}
		return nil
	})
	return named, err
}

// shown has the progress of builds go where that of the steps goes.
func (p *Platform) shown() {
	p.Provider.Builder.Progress, p.Provider.Builder.Count = p.Steps.UI.Work, p.Steps.UI.Progress
}

// provideImages builds or finds the images and k6. The one does not wait for the other: while an
// image is written, the compiler works.
func (p *Platform) provideImages(ctx context.Context) error {
	p.shown()
	wanted := []string{p.Provider.server(), images.PostgreSQL, images.GitLabStub, images.Node}
	if p.Provider.Plan.InCluster != nil {
		wanted = append(wanted, images.K6)
	}
	wanted = p.replaced(wanted...)
	var list []images.Image
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		list, err = p.Provider.Builder.Ensure(ctx, wanted...)
		return err
	})
	group.Go(func() error { return p.provideProgram(ctx) })
	if err := group.Wait(); err != nil {
		return err
	}
	for _, image := range list {
		p.Images[image.Name] = image
	}
	return nil
}

// provideK6 is all that a platform on an existing cluster needs to build: the cluster pulls its
// images itself.
func (p *Platform) provideK6(ctx context.Context) error {
	p.shown()
	p.replaced(p.Provider.server(), images.PostgreSQL, images.GitLabStub, images.K6)
	return p.provideProgram(ctx)
}

// provideProgram builds or finds k6, where the plan has load.
func (p *Platform) provideProgram(ctx context.Context) error {
	if !p.Provider.Plan.Load {
		return nil
	}
	var err error
	if p.K6, err = p.Provider.Builder.K6Binary(ctx); err != nil {
		return exit.Environmentf("k6", "steamer images build k6 shows the build", "%w", err)
	}
	return nil
}

// replaced takes the images that the plan replaces, and returns those that still have to be built.
func (p *Platform) replaced(wanted ...string) []string {
	return slices.DeleteFunc(wanted, func(name string) bool {
		ref, ok := p.Provider.Plan.Images[name]
		if ok {
			p.Images[name] = p.Provider.named(name, ref)
		}
		return ok
	})
}

// server is the name of the image that serves. A Vault that is neither named nor in the cache is
// not built: OpenBao serves in its place, and the result says so.
func (p *Provider) server() string {
	if d := p.Plan.Dialect; d == nil || d.Server != openbao.KindVault {
		return images.OpenBao
	}
	if p.Plan.Images[images.Vault] != "" || p.Builder != nil && p.Builder.Cached(images.Vault) {
		return images.Vault
	}
	return images.OpenBao
}

// named is an image that a flag or the plan names.
func (p *Provider) named(name, ref string) images.Image {
	image, ok := p.Named[ref]
	if !ok {
		image = images.Image{Ref: ref, Pulled: true} // who runs it pulls it
	}
	image.Name = name
	return image
}

// workloads are the images that pods use.
func (p *Platform) workloads() []images.Image {
	all := []images.Image{p.Images[p.Provider.server()], p.Images[images.PostgreSQL], p.Images[images.GitLabStub]}
	if p.Provider.Plan.InCluster != nil {
		all = append(all, p.Images[images.K6])
	}
	for _, ref := range p.Provider.Also {
		all = append(all, p.Provider.named("beside the plan's", ref))
	}
	return all
}
