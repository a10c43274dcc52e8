package images

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"gitlab.com/steamer/steamer/harness/exit"
)

// pin returns where an image can be pulled from; the reference is empty where it is always built.
func (b *Builder) pin(n string) (pin, error) {
	if b.upstream != nil {
		return b.upstream[n], nil
	}
	all, err := pins()
	return all[n], err
}

// describePulled names an image after the digest that it is pulled by, in the repository of built
// images: nothing may mistake it for a tag to pull again.
func (b *Builder) describePulled(n string, p pin) (Image, error) {
	ref, err := p.digest()
	if err != nil {
		return Image{}, err
	}
	version := p.Version
	if version == "" {
		tagged, _, _ := strings.Cut(p.Reference, "@")
		tag, err := name.NewTag(tagged)
		if err != nil {
			return Image{}, fmt.Errorf("reference %s: %w", p.Reference, err)
		}
		version = tag.TagStr()
	}
	address := runtime.GOARCH + "-" + strings.TrimPrefix(ref.DigestStr(), "sha256:")[:12]
	return Image{
		Name: n, Version: version, Pulled: true, Upstream: p.Reference,
		Ref:     fmt.Sprintf("%s/%s:%s-%s", Repository, n, version, address),
		Archive: filepath.Join(b.Cache, "images", fmt.Sprintf("%s-%s-%s.tar", n, version, address)),
	}, nil
}

// save writes an archive under a temporary name first, so that the cache never holds half an
// image.
func save(image Image, content v1.Image) error {
	tag, err := name.NewTag(image.Ref)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(image.Archive), 0o755); err != nil {
		return err
	}
	partial := image.Archive + ".partial"
	defer os.Remove(partial)
	if err := tarball.WriteToFile(partial, tag, content); err != nil {
		return err
	}
	return os.Rename(partial, image.Archive)
}

// fill reads the image ID and size of a cached archive.
func fill(image Image) (Image, error) {
	info, err := os.Stat(image.Archive)
	if err != nil {
		return image, err
	}
	loaded, err := tarball.ImageFromPath(image.Archive, nil)
	if err != nil {
		return image, exit.Environmentf(image.Archive, "delete it; it is made again", "this cached image cannot be read: %w",
			err)
	}
	config, err := loaded.ConfigName() // unlike the manifest's digest it does not depend on compression
	if err != nil {
		return image, exit.Environmentf(image.Archive, "delete it; it is made again", "this cached image cannot be read: %w",
			err)
	}
	image.Size, image.Digest = info.Size(), config.String()
	return image, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// cacheError explains a failure to write the cache.
func cacheError(ctx context.Context, n string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return exit.Environmentf("image "+n, "free space for the cache, or name another with --cache (or STEAMER_CACHE)", "%w",
		err)
}
