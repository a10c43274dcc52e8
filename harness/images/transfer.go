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
	expected := map[string]Image{} // described only: loading also mends a cached archive that cannot be read
	recipes := b.recipes()
	for _, n := range b.names() {
		candidates, err := b.candidates(n, recipes[n])
		if err != nil {
			return nil, err
		}
		for _, image := range candidates {
			expected[image.Ref] = image
		}
	}
	for _, entry := range manifest {
		image, ok := expected[entry.Ref]
		if !ok {
			return nil, exit.Invalidf(entry.Ref, "save the images with the same version of Steamer", "this source tree makes another image")
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
	}
	return b.List()
}

// copyFile copies a file and returns the SHA-256 of what it copied, in hexadecimal. On an error it leaves no part of the copy.
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
