package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Manifest is the file that Save writes beside the archives.
const Manifest = "steamer-images.json"

// saved is an image in a directory that Save wrote.
type saved struct {
	Image
	File   string `json:"file"`
	SHA256 string `json:"sha256"` // of the archive
}

// Save copies all images, built if need be, to a directory, with a manifest of checksums.
func (b *Builder) Save(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { // before minutes of building
		return exit.Invalidf(dir, "name a directory that can be written", "%w", err)
	}
	list, err := b.Ensure(ctx, b.names()...)
	if err != nil {
		return err
	}
	var manifest []saved
	for _, image := range list {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		file := filepath.Base(image.Archive)
		sum, err := copyFile(image.Archive, filepath.Join(dir, file))
		if err != nil {
			return exit.Environmentf("images save", "free space in "+dir, "%w", err)
		}
		manifest = append(manifest, saved{Image: image, File: file, SHA256: sum})
	}
	data, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, Manifest), data, 0o644); err != nil {
		return exit.Environmentf("images save", "free space in "+dir, "%w", err)
	}
	return nil
}

// Load copies the archives of a directory that Save wrote into the cache, after checking
// every checksum. An image that does not belong to this source tree is an exit.Invalid error.
func (b *Builder) Load(dir string) ([]Image, error) {
	data, err := os.ReadFile(filepath.Join(dir, Manifest))
	if err != nil {
		return nil, exit.Invalidf(dir, "name a directory that steamer images save wrote", "%w", err)
	}
	var manifest []saved
	if err := json.Unmarshal(data, &manifest); err != nil {
		return nil, exit.Invalidf(filepath.Join(dir, Manifest), "copy the directory again", "%w", err)
	}
	for _, entry := range manifest {
		image, err := b.expected(entry.Image)
		if err != nil {
			return nil, err
		}
		if image.Ref == "" || image.Ref != entry.Ref {
			return nil, exit.Invalidf(entry.Ref, "save the images with the same version of Steamer",
				"this source tree makes another image")
		}
		if err := os.MkdirAll(filepath.Dir(image.Archive), 0o755); err != nil {
			return nil, exit.Environmentf("cache "+b.Cache, "name another with --cache (or STEAMER_CACHE)", "%w", err)
		}
		partial := image.Archive + ".partial"
		sum, err := copyFile(filepath.Join(dir, filepath.Base(entry.File)), partial)
		if err == nil && sum != entry.SHA256 {
			err = fmt.Errorf("its SHA-256 is %s, the manifest says %s", sum, entry.SHA256)
		}
		if err == nil {
			err = os.Rename(partial, image.Archive)
		}
		if err != nil {
			_ = os.Remove(partial)
			return nil, exit.Invalidf(entry.File, "copy the directory again", "%w", err)
		}
		if err := b.learn(image); err != nil {
			return nil, exit.Environmentf("cache "+b.Cache, "name another with --cache (or STEAMER_CACHE)", "%w", err)
		}
	}
	return b.List()
}

// expected describes the image that this source tree would make in place of one that was saved:
// pulled, or built of the same packages. It is described only: loading also replaces a cached
// archive that cannot be read.
func (b *Builder) expected(s Image) (Image, error) {
	r, ok := b.recipes()[s.Name]
	if !ok {
		return Image{}, nil
	}
	image, pulls, err := b.pulled(s.Name)
	if err != nil || pulls && (image.Ref == s.Ref || b.Source == FromPull) {
		return image, err
	}
	for _, root := range r.debian {
		if !root.complete(s.Packages[root.label]) {
			return Image{}, nil
		}
	}
	return b.describe(s.Name, r, s.Packages)
}

// learn keeps the versions of an image that was loaded, as a mirror's answer of now would be: the
// machine may have no other way to know them.
func (b *Builder) learn(image Image) error {
	if image.Pulled {
		return nil
	}
	for _, root := range b.recipes()[image.Name].debian {
		path, err := b.keptPath(root)
		if err != nil {
			return err
		}
		release, err := b.lock(context.Background(), versionsLane(root))
		if err != nil {
			return err
		}
		now := time.Now()
		err = writeKept(path, &resolved{Packages: image.Packages[root.label], Found: now, Asked: now})
		release()
		if err != nil {
			return err
		}
	}
	return nil
}

// copyFile copies a file and returns the SHA-256 of what it copied, in hexadecimal. On an error it
// leaves no part of the copy.
func copyFile(from, to string) (string, error) {
	in, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, sum), in)
	if err = errors.Join(err, out.Close()); err != nil {
		return "", errors.Join(err, os.Remove(to))
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
