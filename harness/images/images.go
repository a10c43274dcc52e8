// Package images provides the container images that a run needs: pulled by digest
// where a registry answers, else built from checksummed Go modules and Debian
// packages, content-addressed and cached.
package images

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
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
	Vault      = "vault"       // HashiCorp Vault, only on request
)

// Names lists the images of a run in the order in which a newcomer meets them.
func Names() []string { return []string{Node, OpenBao, PostgreSQL, GitLabStub, K6} }

// Optional lists the images that are built only where they are named.
func Optional() []string { return []string{Vault} }

// Image is an image in the cache.
type Image struct {
	Name string `json:"name"`
	// repository:tag in the archive; the tag is the content address, or names the digest it was
	// pulled by
	Ref string `json:"ref"`
	// the image ID: the digest of its configuration, sha256:…; empty where the cache lacks it
	Digest  string `json:"digest"`
	Archive string `json:"archive"` // docker-archive file that holds the image
	Size    int64  `json:"size"`    // of the archive, bytes
	Version string `json:"version"` // of the software inside
	Built   bool   `json:"built"`   // built by this call, not found in the cache
	// Pulled says that the image is upstream's and not Steamer's own build. A node image that is
	// pulled is kind's: it brings kindnet.
	Pulled   bool   `json:"pulled,omitempty"`
	Upstream string `json:"upstream,omitempty"` // reference with the digest that it was pulled by
	// Packages are the Debian packages inside, each as name=version, by the label of the root file
	// system that holds them. The tag of a built image covers them.
	Packages map[string][]string `json:"packages,omitempty"`
}

// Source says where images come from.
type Source string

// The sources. The zero value means FromAuto.
const (
	// what the cache holds; else pulled where the registry answers within registryTimeout; else
	// built
	FromAuto  Source = "auto"
	FromBuild Source = "build" // built here; no registry is asked
	FromPull  Source = "pull"  // pulled; what registry.yaml names no reference for is built
)

// ParseSource reads a source; empty is FromAuto, anything unknown an exit.Invalid error.
func ParseSource(name string) (Source, error) {
	switch source := Source(name); source {
	case "":
		return FromAuto, nil
	case FromAuto, FromBuild, FromPull:
		return source, nil
	default:
		return "", exit.Invalidf("image source "+name, "choose auto, build or pull", "there is no such source")
	}
}

// Builder builds images into a cache directory.
type Builder struct {
	Root   string // Steamer's source tree: the build modules are in it
	Cache  string // cache directory, absolute; created on demand; several processes may share it
	Source Source // where images come from
	// Offline says that no network leads anywhere: versions of Debian packages are those that the
	// cache knows, however old.
	Offline bool
	// Versions are kept to by every builder that shares them; nil goes by the cache alone.
	Versions *Versions
	// Progress is told when a piece of work starts (seconds < 0) and when it is done.
	Progress func(work string, seconds float64)
	// Count is told how much of a long piece of work is done, never concurrently for one piece.
	Count func(what string, done, total int)

	catalog  map[string]recipe                                     // replaces the recipes in tests
	upstream map[string]pin                                        // replaces registry.yaml in tests
	simulate func(ctx context.Context, r rootfs) ([]string, error) // replaces Debian's mirror in tests

	asking sync.Mutex       // guards asked
	asked  map[string]error // registry to why it does not answer
}

// Repository is the repository part of the references of built images. It resolves nowhere: no
// engine and no kubelet can mistake a built image for something to pull.
const Repository = "steamer.local"

// recipe says how to make one image.
type recipe struct {
	version string
	inputs  []string // files and directories under Root whose content decides the image
	extra   []string // other strings that decide it
	debian  []rootfs // root file systems of Debian packages, whose versions decide it
	// refuses says why another version is never built; nil where no reason is known but that only
	// one is pinned.
	refuses func(version string) string
	// build is given each root's packages, by its label.
	build func(ctx context.Context, b *Builder, debian map[string][]string) (v1.Image, error)
}

// check refuses a version that is not the recipe's. Empty is the recipe's own.
func (r recipe) check(n, version string) error {
	if version == "" || strings.TrimPrefix(version, "v") == r.version {
		return nil
	}
	why := "Steamer builds " + r.version + " only, whose source is pinned by checksums"
	if r.refuses != nil {
		why = cmp.Or(r.refuses(version), why)
	}
	return exit.Invalidf("image "+n+":"+version, "leave the version out, or name an image that you may use: --image "+n+
		"=REF",
		"%s", why)
}

func (b *Builder) recipes() map[string]recipe {
	if b.catalog != nil {
		return b.catalog
	}
	return map[string]recipe{
		Node:       nodeRecipe(),
		OpenBao:    openbaoRecipe(),
		PostgreSQL: postgresqlRecipe(),
		GitLabStub: stubRecipe(),
		K6:         k6Recipe(),
		Vault:      vaultRecipe(),
	}
}

// names lists the images that there are recipes for.
func (b *Builder) names() []string {
	recipes := b.recipes()
	return slices.DeleteFunc(Names(), func(n string) bool { _, ok := recipes[n]; return !ok })
}

// Ensure returns the named images, pulling or building the ones that the cache does not hold. A
// name may say the version, NAME:VERSION. An unknown name, another version than the one that
// Steamer builds, or an unknown source is an exit.Invalid error; a failed pull or build is an
// exit.Environment error.
func (b *Builder) Ensure(ctx context.Context, names ...string) ([]Image, error) {
	if _, err := ParseSource(string(b.Source)); err != nil {
		return nil, err
	}
	recipes := b.recipes()
	names = slices.Clone(names)
	for i, asked := range names {
		n, version, _ := strings.Cut(asked, ":")
		names[i] = n
		r, ok := recipes[n]
		if !ok {
			hint := fmt.Sprintf("choose from %v and, on request, %v", Names(), Optional())
			return nil, exit.Invalidf("image "+n, hint, "there is no such image")
		}
		if err := r.check(n, version); err != nil {
			return nil, err
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

// Cached reports whether the cache holds an image.
func (b *Builder) Cached(name string) bool {
	image, err := b.listed(name, b.recipes()[name])
	return err == nil && image.Archive != "" && exists(image.Archive)
}

// List returns what the cache holds of the images that Ensure would use, without pulling or
// building, and without asking Debian's mirror: an image whose packages have unknown versions has
// no reference yet.
func (b *Builder) List() ([]Image, error) {
	var found []Image
	recipes := b.recipes()
	for _, n := range append(b.names(), Optional()...) {
		if _, ok := recipes[n]; !ok {
			continue
		}
		image, pulled, err := b.pulled(n)
		if err != nil {
			return nil, err
		}
		if !pulled || b.Source != FromPull && !exists(image.Archive) {
			if image, err = b.listed(n, recipes[n]); err != nil {
				return nil, err
			}
		}
		if image.Archive != "" && exists(image.Archive) {
			if image, err = fill(image); err != nil {
				return nil, err
			}
		}
		found = append(found, image)
	}
	return found, nil
}

// listed describes an image that is built as far as that is known.
func (b *Builder) listed(n string, r recipe) (Image, error) {
	debian, err := b.known(r.debian)
	if errors.Is(err, errUnknownVersions) {
		return Image{Name: n, Version: r.version}, nil
	}
	if err != nil {
		return Image{}, err
	}
	return b.describe(n, r, debian)
}

// pulled describes the form in which an image is pulled, and reports whether the source allows
// that.
func (b *Builder) pulled(n string) (Image, bool, error) {
	p, err := b.pin(n)
	if err != nil || p.Reference == "" || b.Source == FromBuild {
		return Image{}, false, err
	}
	image, err := b.describePulled(n, p)
	return image, true, err
}

// describe computes the content address of an image that is built of these packages.
func (b *Builder) describe(n string, r recipe, debian map[string][]string) (Image, error) {
	parts := append(slices.Clone(r.extra), n, r.version)
	for _, root := range r.debian {
		parts = append(append(parts, root.label), root.arguments(debian[root.label])...)
	}
	key, err := b.key(parts, r.inputs...)
	if err != nil {
		return Image{}, exit.Environmentf("image "+n, "restore the source tree, or name a whole one with --root", "%w", err)
	}
	if len(debian) == 0 {
		debian = nil
	}
	return Image{
		Name: n, Version: r.version, Packages: debian,
		Ref:     fmt.Sprintf("%s/%s:%s-%s", Repository, n, r.version, key),
		Archive: filepath.Join(b.Cache, "images", fmt.Sprintf("%s-%s-%s.tar", n, r.version, key)),
	}, nil
}

// address finds out which image would be built. The mirror is asked for versions that were not
// asked for within the span.
func (b *Builder) address(ctx context.Context, n string, r recipe, span time.Duration) (Image, error) {
	debian, err := b.packages(ctx, r.debian, span)
	if err != nil {
		return Image{}, buildError(ctx, n, err)
	}
	return b.describe(n, r, debian)
}

func (b *Builder) ensure(ctx context.Context, n string, r recipe) (Image, error) {
	pulled, pulls, err := b.pulled(n)
	if err != nil {
		return Image{}, err
	}
	release, err := b.lock(ctx, "image-"+n)
	if err != nil {
		return Image{}, cacheError(ctx, n, err)
	}
	defer release()
	if pulls && exists(pulled.Archive) {
		return fill(pulled)
	}
	var built Image
	var unknown error // why it cannot be built
	if !pulls || b.Source != FromPull {
		built, unknown = b.address(ctx, n, r, askedDaily)
		if ctx.Err() != nil {
			return Image{}, ctx.Err()
		}
		if unknown == nil && exists(built.Archive) {
			return fill(built)
		}
	}
	var failed error // why it was not pulled
	if pulls {
		if failed, err = b.tryPull(ctx, pulled); err != nil {
			return pulled, err
		}
		if failed == nil {
			return fill(pulled)
		}
		if b.Source == FromPull {
			return Image{}, failed
		}
	}
	err = unknown
	if err == nil {
		built, err = b.build(ctx, built, r)
	}
	if err != nil && failed != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w\n  before that: %w", err, failed)
	}
	return built, err
}

// tryPull pulls an image. It returns why that failed, or an error that ends the search.
func (b *Builder) tryPull(ctx context.Context, image Image) (failed, err error) {
	p, err := b.pin(image.Name)
	if err != nil {
		return nil, err
	}
	if err = b.pull(ctx, image, p); err == nil {
		return nil, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if !errors.Is(err, errNoAnswer) { // an answer that does not lead to the image is worth a line
		b.work("image " + image.Name + " cannot be pulled: " + err.Error())
	}
	return pullError(image.Name, err), nil
}

// fetches reports whether packages have to be fetched for an image.
func (b *Builder) fetches(image Image, r recipe) bool {
	return slices.ContainsFunc(r.debian, func(root rootfs) bool {
		path, err := b.debianPath(root, image.Packages[root.label])
		return err == nil && !exists(path)
	})
}

func buildError(ctx context.Context, n string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return exit.Environmentf("image "+n, "steamer doctor; then steamer images build "+n, "%w", err)
}

// build makes an image that the cache does not hold.
func (b *Builder) build(ctx context.Context, image Image, r recipe) (Image, error) {
	n := image.Name
	if b.fetches(image, r) && !b.Offline {
		var err error
		if image, err = b.address(ctx, n, r, askedJust); err != nil {
			return image, err
		}
		if exists(image.Archive) {
			return fill(image)
		}
	}
	done := b.work("image " + n)
	defer os.RemoveAll(filepath.Join(b.Cache, "layers", n))
	built, err := r.build(ctx, b, image.Packages)
	if err != nil {
		return image, buildError(ctx, n, err)
	}
	if err := save(image, built); err != nil {
		return image, cacheError(ctx, n, err)
	}
	done()
	image.Built = true
	return fill(image)
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
