package images

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"sort"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// entry is one file, link or directory of a layer.
type entry struct {
	source string // file on this machine to copy
	data   []byte // content, where source is empty
	link   string // symbolic link to this target
	dir    bool
	mode   int64 // permission bits; 0 means 0644 for files and 0755 for directories and sources
	uid    int   // owner, and group of the same number
}

// layerDir returns an empty directory for the layers of an image. They are read when the
// archive is written, after the recipe has returned; build removes them then.
func (b *Builder) layerDir(image string) (string, error) { return b.emptyDir("layers", image) }

// writeLayer writes the entries as a reproducible tar: sorted, without times or owners' names.
func writeLayer(file string, entries map[string]entry) error {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	w := tar.NewWriter(out)
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	sort.Strings(names)
	parents := map[string]bool{".": true, "/": true}
	for _, name := range names {
		if err := writeParents(w, path.Dir(name), parents, entries); err != nil {
			return err
		}
		if err := writeEntry(w, name, entries[name]); err != nil {
			return fmt.Errorf("layer entry %s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return out.Close()
}

func writeParents(w *tar.Writer, dir string, seen map[string]bool, entries map[string]entry) error {
	if seen[dir] {
		return nil
	}
	if err := writeParents(w, path.Dir(dir), seen, entries); err != nil {
		return err
	}
	seen[dir] = true
	if _, own := entries[dir]; own {
		return nil
	}
	return writeEntry(w, dir, entry{dir: true})
}

func writeEntry(w *tar.Writer, name string, e entry) error {
	header := &tar.Header{
		Name: strings.TrimPrefix(name, "/"), Mode: e.mode, Uid: e.uid, Gid: e.uid,
		ModTime: time.Unix(0, 0),
	}
	var content io.Reader = bytes.NewReader(e.data)
	switch {
	case e.dir:
		header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
		header.Mode = orDefault(e.mode, 0o755)
	case e.link != "":
		header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, e.link, 0o777
	case e.source != "":
		file, err := os.Open(e.source)
		if err != nil {
			return err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		content, header.Size, header.Mode = file, info.Size(), orDefault(e.mode, 0o755)
	default:
		header.Size, header.Mode = int64(len(e.data)), orDefault(e.mode, 0o644)
	}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	if header.Size == 0 {
		return nil
	}
	_, err := io.Copy(w, content)
	return err
}

func orDefault(mode, fallback int64) int64 {
	if mode == 0 {
		return fallback
	}
	return mode
}

// imageOf stacks layer tars and sets the configuration. Layers stay uncompressed in the
// archive: it never crosses a network, and compressing would cost more time than it saves.
func imageOf(config v1.Config, layers ...string) (v1.Image, error) {
	image := v1.Image(empty.Image)
	for _, file := range layers {
		layer, err := tarball.LayerFromFile(file, tarball.WithCompressionLevel(0))
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", file, err)
		}
		if image, err = mutate.AppendLayers(image, layer); err != nil {
			return nil, err
		}
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", runtime.GOARCH, config
	return mutate.ConfigFile(image, file)
}
