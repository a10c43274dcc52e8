package images

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"
)

// member is what a layer says about one of its files.
type member struct {
	kind     byte
	mode     int64
	uid, gid int
	link     string
	content  string
}

func readLayer(t *testing.T, file string) (order []string, members map[string]member) {
	t.Helper()
	in, err := os.Open(file)
	require.NoError(t, err)
	defer in.Close()
	members = map[string]member{}
	for r := tar.NewReader(in); ; {
		header, err := r.Next()
		if err == io.EOF {
			return order, members
		}
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Zero(t, header.ModTime.Unix(), header.Name)
		order = append(order, header.Name)
		members[header.Name] = member{header.Typeflag, header.Mode, header.Uid, header.Gid, header.Linkname, string(content)}
	}
}

func TestWriteLayer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	require.NoError(t, os.WriteFile(program, []byte("machine code"), 0o600))
	entries := map[string]entry{
		"/usr/bin/program":   {source: program},
		"/usr/bin/alias":     {link: "program"},
		"/etc/passwd":        {data: []byte("root:x:0:0\n")},
		"/etc/secret":        {data: []byte("x"), mode: 0o600, uid: 7},
		"/var/lib/data":      {dir: true, mode: 0o700, uid: 999},
		"/var/lib/data/kept": {data: nil},
		"/tmp":               {dir: true, mode: 0o1777},
		"/images.tar":        {source: program, mode: 0o644},
	}
	first, second := filepath.Join(dir, "1.tar"), filepath.Join(dir, "2.tar")
	require.NoError(t, writeLayer(first, entries))
	require.NoError(t, writeLayer(second, entries))
	a, err := os.ReadFile(first)
	require.NoError(t, err)
	b, err := os.ReadFile(second)
	require.NoError(t, err)
	require.Equal(t, a, b, "the same entries have to give the same bytes")

	order, members := readLayer(t, first)
	require.Equal(t, []string{
		"etc/", "etc/passwd", "etc/secret", "images.tar", "tmp/",
		"usr/", "usr/bin/", "usr/bin/alias", "usr/bin/program", "var/", "var/lib/", "var/lib/data/", "var/lib/data/kept",
	}, order, "each parent once, before its children")
	require.Equal(t, map[string]member{
		"etc/":              {kind: tar.TypeDir, mode: 0o755},
		"etc/passwd":        {kind: tar.TypeReg, mode: 0o644, content: "root:x:0:0\n"},
		"etc/secret":        {kind: tar.TypeReg, mode: 0o600, uid: 7, gid: 7, content: "x"},
		"images.tar":        {kind: tar.TypeReg, mode: 0o644, content: "machine code"},
		"tmp/":              {kind: tar.TypeDir, mode: 0o1777},
		"usr/":              {kind: tar.TypeDir, mode: 0o755},
		"usr/bin/":          {kind: tar.TypeDir, mode: 0o755},
		"usr/bin/alias":     {kind: tar.TypeSymlink, mode: 0o777, link: "program"},
		"usr/bin/program":   {kind: tar.TypeReg, mode: 0o755, content: "machine code"},
		"var/":              {kind: tar.TypeDir, mode: 0o755},
		"var/lib/":          {kind: tar.TypeDir, mode: 0o755},
		"var/lib/data/":     {kind: tar.TypeDir, mode: 0o700, uid: 999, gid: 999},
		"var/lib/data/kept": {kind: tar.TypeReg, mode: 0o644},
	}, members)
}

func TestWriteLayerNamesTheMissingSource(t *testing.T) {
	t.Parallel()
	err := writeLayer(filepath.Join(t.TempDir(), "layer.tar"), map[string]entry{"/bin/gone": {source: "/nowhere/gone"}})
	require.ErrorContains(t, err, "/bin/gone")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestImageSurvivesTheCache(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	layer := filepath.Join(dir, "layer.tar")
	require.NoError(t, writeLayer(layer, map[string]entry{"/hello": {data: []byte("hello")}}))
	config := v1.Config{Entrypoint: []string{"/hello"}, User: "65532:65532", StopSignal: "SIGINT"}
	built, err := imageOf(config, layer)
	require.NoError(t, err)
	image := Image{Name: "hello", Ref: Repository + "/hello:1-abc", Archive: filepath.Join(dir, "images", "hello.tar")}
	require.NoError(t, save(image, built))
	require.NoFileExists(t, image.Archive+".partial")

	image, err = fill(image)
	require.NoError(t, err)
	id, err := built.ConfigName()
	require.NoError(t, err)
	require.Equal(t, id.String(), image.Digest)
	info, err := os.Stat(image.Archive)
	require.NoError(t, err)
	require.Equal(t, info.Size(), image.Size)

	loaded, err := tarball.ImageFromPath(image.Archive, nil)
	require.NoError(t, err)
	file, err := loaded.ConfigFile()
	require.NoError(t, err)
	require.Equal(t, config, file.Config)
	require.Equal(t, "linux", file.OS)
	require.Equal(t, runtime.GOARCH, file.Architecture)
	manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(image.Archive) })
	require.NoError(t, err)
	require.Equal(t, []string{image.Ref}, manifest[0].RepoTags)
}

func TestFillNamesTheArchiveThatCannotBeRead(t *testing.T) {
	t.Parallel()
	archive := filepath.Join(t.TempDir(), "broken.tar")
	require.NoError(t, os.WriteFile(archive, []byte("not a tar"), 0o600))
	_, err := fill(Image{Archive: archive})
	require.ErrorContains(t, err, archive)
	require.ErrorContains(t, err, "hint: delete it")
}
