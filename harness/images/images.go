// Package images provides the container images that a run needs: pulled by digest
// where a registry answers, else built from checksummed Go modules and Debian
// packages, content-addressed and cached.
package images

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/exit"
)

// The images Steamer builds.
const (
	Node       = "node"        // a kind node
	OpenBao    = "openbao"     // the server under test
	PostgreSQL = "postgresql"  // its storage
	GitLabStub = "gitlab-stub" // OIDC issuer and audit sink
	K6         = "k6"          // the load generator, for load from inside a cluster
)

// Names lists all images in the order in which a newcomer meets them.
func Names() []string { return []string{Node, OpenBao, PostgreSQL, GitLabStub, K6} }

// Image is an image in the cache.
type Image struct {
	Name    string `json:"name"`
	Ref     string `json:"ref"`     // repository:tag; the tag is the content address
	Digest  string `json:"digest"`  // of the manifest, sha256:…
	Archive string `json:"archive"` // docker-archive file that holds the image
	Size    int64  `json:"size"`    // of the archive, bytes
	Version string `json:"version"` // of the software inside
	Built   bool   `json:"built"`   // built by this call, not found in the cache
}

// Builder builds images into a cache directory.
type Builder struct {
	Root  string // Steamer's source tree: the build modules are in it
	Cache string // cache directory; created on demand
	// Progress is told when a piece of work starts (seconds < 0) and when it is done.
	Progress func(work string, seconds float64)

	goLane, debianLane sync.Mutex // Go builds use every core; package installs wait for disk and network
	once               sync.Map   // binary name to *sync.Once-like result, so that two images share one build
}

// Repository is the repository part of the references of built images. It resolves nowhere: no
// engine and no kubelet can mistake a built image for something to pull.
const Repository = "steamer.local"

// recipe says how to make one image.
type recipe struct {
	version string
	inputs  []string // files and directories under Root whose content decides the image
	extra   []string // other strings that decide it
	build   func(ctx context.Context, b *Builder) (v1.Image, error)
}

func (b *Builder) recipes() map[string]recipe {
	return map[string]recipe{
		Node:       nodeRecipe(),
		OpenBao:    openbaoRecipe(),
		PostgreSQL: postgresqlRecipe(),
		GitLabStub: stubRecipe(),
		K6:         k6Recipe(),
	}
}

// Ensure returns the named images, building the ones that the cache does not hold. An unknown
// name is an exit.Invalid error; a failed build is an exit.Environment error.
func (b *Builder) Ensure(ctx context.Context, names ...string) ([]Image, error) {
	recipes := b.recipes()
	for _, n := range names {
		if _, ok := recipes[n]; !ok {
			return nil, exit.Invalidf("image "+n, fmt.Sprintf("choose from %v", Names()), "there is no such image")
		}
	}
	images := make([]Image, len(names))
	group, ctx := errgroup.WithContext(ctx)
	for i, n := range names {
		group.Go(func() error {
			image, err := b.ensure(ctx, n, recipes[n])
			images[i] = image
			return err
		})
	}
	return images, group.Wait()
}

// List returns what the cache holds of the current content addresses, without building.
func (b *Builder) List() ([]Image, error) {
	var found []Image
	recipes := b.recipes()
	for _, n := range Names() {
		image, err := b.describe(n, recipes[n])
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(image.Archive); err == nil {
			if image, err = fill(image); err != nil {
				return nil, err
			}
		}
		found = append(found, image)
	}
	return found, nil
}

// describe computes the content address of an image.
func (b *Builder) describe(n string, r recipe) (Image, error) {
	key, err := b.key(append(slices.Clone(r.extra), n, r.version), r.inputs...)
	if err != nil {
		return Image{}, err
	}
	return Image{
		Name: n, Version: r.version,
		Ref:     fmt.Sprintf("%s/%s:%s-%s", Repository, n, r.version, key),
		Archive: filepath.Join(b.Cache, "images", fmt.Sprintf("%s-%s-%s.tar", n, r.version, key)),
	}, nil
}

func (b *Builder) ensure(ctx context.Context, n string, r recipe) (Image, error) {
	image, err := b.describe(n, r)
	if err != nil {
		return image, err
	}
	if _, err := os.Stat(image.Archive); err == nil {
		return fill(image)
	}
	done := b.work("image " + n)
	defer os.RemoveAll(filepath.Join(b.Cache, "layers", n))
	built, err := r.build(ctx, b)
	if err != nil {
		if ctx.Err() != nil {
			return image, ctx.Err()
		}
		return image, exit.Environmentf("image "+n, "steamer doctor; then steamer images build "+n, "%w", err)
	}
	if err := save(image, built); err != nil {
		return image, err
	}
	done()
	image.Built = true
	return fill(image)
}

// save writes an archive under a temporary name first, so that the cache never holds half an image.
func save(image Image, built v1.Image) error {
	tag, err := name.NewTag(image.Ref)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(image.Archive), 0o755); err != nil {
		return err
	}
	partial := image.Archive + ".partial"
	defer os.Remove(partial)
	if err := tarball.WriteToFile(partial, tag, built); err != nil {
		return err
	}
	return os.Rename(partial, image.Archive)
}

// fill reads the digest and size of a cached archive.
func fill(image Image) (Image, error) {
	info, err := os.Stat(image.Archive)
	if err != nil {
		return image, err
	}
	loaded, err := tarball.ImageFromPath(image.Archive, nil)
	if err != nil {
		return image, fmt.Errorf("cached image %s: %w (delete it to build it again)", image.Archive, err)
	}
	config, err := loaded.ConfigName() // the image ID: unlike the manifest's digest it does not depend on compression
	if err != nil {
		return image, err
	}
	image.Size, image.Digest = info.Size(), config.String()
	return image, nil
}

// work reports the start of a piece of work and returns what reports its end.
func (b *Builder) work(what string) func() {
	if b.Progress == nil {
		return func() {}
	}
	started := time.Now()
	b.Progress(what, -1)
	return func() { b.Progress(what, time.Since(started).Seconds()) }
}
