package chart

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"helm.sh/helm/v3/pkg/chartutil"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Archive is a packaged chart.
type Archive struct {
	Path    string // of the .tgz
	Digest  string // SHA-256 of its bytes
	Name    string
	Version string
	Home    string // URL of the chart's project, from its Chart.yaml; may be empty
}

// packedAt is the time of every file in an archive, so that the same files make the same bytes.
// tar warns of anything near 1970.
var packedAt = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

// Package writes a chart's archive into dir, as helm package would but reproducibly: the same
// files, packed by the same Go, give the same bytes. An existing file of that name is replaced.
func Package(source, dir string) (Archive, error) {
	c, err := Load(source)
	if err != nil {
		return Archive{}, err
	}
	scratch, err := os.MkdirTemp("", "steamer-package-")
	if err != nil {
		return Archive{}, err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	saved, err := chartutil.Save(c.helm, scratch)
	if err != nil {
		return Archive{}, exit.Invalidf("chart "+source, "helm package shows the same error", "%w", err)
	}
	data, err := os.ReadFile(saved)
	if err != nil {
		return Archive{}, err
	}
	if data, err = reproducible(data); err != nil {
		return Archive{}, fmt.Errorf("chart %s: %w", source, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Archive{}, exit.Invalidf("directory "+dir, "name a directory that can be written", "%w", err)
	}
	file := filepath.Join(dir, filepath.Base(saved))
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return Archive{}, exit.Invalidf("file "+file, "name a directory that can be written", "%w", err)
	}
	meta := c.helm.Metadata
	return Archive{Path: file, Digest: sum(data), Name: meta.Name, Version: meta.Version, Home: meta.Home}, nil
}

// packed is one file of an archive.
type packed struct {
	name string
	data []byte
}

// reproducible packs an archive again without what differs from one packing to the next: times,
// and the order of dependencies, which Helm keeps in a map.
func reproducible(archive []byte) ([]byte, error) {
	files, err := unpackAll(archive)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(files, func(a, b packed) int {
		// Readers that stream want Chart.yaml first, which is where Helm has it.
		return cmp.Or(cmp.Compare(rank(a.name), rank(b.name)), cmp.Compare(a.name, b.name))
	})
	var out bytes.Buffer
	zipper, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	writer := tar.NewWriter(zipper)
	for _, file := range files {
		header := &tar.Header{
			Name: file.name, Mode: 0o644, Size: int64(len(file.data)), ModTime: packedAt,
			Format: tar.FormatUSTAR,
		}
		if len(file.name) > 100 { // USTAR could not always hold it
			header.Format = tar.FormatPAX
		}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(file.data); err != nil {
			return nil, err
		}
	}
	err = errors.Join(writer.Close(), zipper.Close())
	return out.Bytes(), err
}

// rank puts NAME/Chart.yaml before everything else.
func rank(name string) int {
	if dir, file := path.Split(name); file == "Chart.yaml" && path.Dir(path.Clean(dir)) == "." {
		return 0
	}
	return 1
}

func unpackAll(archive []byte) ([]packed, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	reader := tar.NewReader(unzipped)
	var files []packed
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(reader)
		if err != nil {
			return nil, err
		}
		files = append(files, packed{header.Name, data})
	}
}
