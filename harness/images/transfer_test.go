package images

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

// savedDirectory is a directory that Save wrote, of images that were built.
func savedDirectory(t *testing.T) (b *Builder, dir string) {
	t.Helper()
	b, _ = testBuilder(t, FromBuild, "")
	dir = filepath.Join(t.TempDir(), "images")
	require.NoError(t, b.Save(t.Context(), dir))
	return b, dir
}

// elsewhere is a builder of the same source tree on a machine with an empty cache, where nothing
// can be built.
func elsewhere(t *testing.T, b *Builder) *Builder {
	t.Helper()
	return &Builder{Root: b.Root, Cache: t.TempDir(), Source: b.Source, catalog: b.catalog, upstream: b.upstream}
}

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	b, dir := savedDirectory(t)
	target := elsewhere(t, b)
	loaded, err := target.Load(dir)
	require.NoError(t, err)
	require.Len(t, loaded, 3)
	saved, err := b.List()
	require.NoError(t, err)
	for i, image := range loaded {
		require.Equal(t, saved[i].Ref, image.Ref)
		require.Equal(t, saved[i].Digest, image.Digest)
		require.NotEmpty(t, image.Digest)
	}
	_, err = target.Load(dir)
	require.NoError(t, err, "loading again changes nothing")

	require.NoError(t, os.WriteFile(loaded[0].Archive, []byte("damaged"), 0o600))
	repaired, err := target.Load(dir)
	require.NoError(t, err, "loading repairs a damaged cache")
	require.Equal(t, loaded, repaired)
}

func TestPulledImagesTravel(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	b, _ := testBuilder(t, FromAuto, r.host+"/thing:1.2@"+r.index)
	dir := t.TempDir()
	require.NoError(t, b.Save(t.Context(), dir))
	r.requests.Store(false)
	loaded, err := elsewhere(t, b).Load(dir)
	require.NoError(t, err)
	require.True(t, loaded[0].Pulled)
	require.NotEmpty(t, loaded[0].Digest)
	require.False(t, r.requests.Load())
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		damage func(t *testing.T, b *Builder, dir string)
		says   string
	}{
		"altered archive": {func(t *testing.T, _ *Builder, dir string) {
			t.Helper()
			archives, err := filepath.Glob(filepath.Join(dir, Node+"-*.tar"))
			require.NoError(t, err)
			require.Len(t, archives, 1)
			file, err := os.OpenFile(archives[0], os.O_APPEND|os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = file.WriteString("x")
			require.NoError(t, err)
			require.NoError(t, file.Close())
		}, "its SHA-256 is"},
		"missing archive": {func(t *testing.T, _ *Builder, dir string) {
			t.Helper()
			archives, err := filepath.Glob(filepath.Join(dir, Node+"-*.tar"))
			require.NoError(t, err)
			require.NoError(t, os.Remove(archives[0]))
		}, "no such file"},
		"another source tree's image": {func(t *testing.T, b *Builder, _ string) {
			t.Helper()
			writeFile(t, b.Root, "input.sh", "echo 2")
		}, "this source tree makes another image"},
		"broken manifest": {func(t *testing.T, _ *Builder, dir string) {
			t.Helper()
			writeFile(t, dir, Manifest, "[{")
		}, "copy the directory again"},
		"no manifest": {func(t *testing.T, _ *Builder, dir string) {
			t.Helper()
			require.NoError(t, os.Remove(filepath.Join(dir, Manifest)))
		}, "name a directory that steamer images save wrote"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, dir := savedDirectory(t)
			test.damage(t, b, dir)
			target := elsewhere(t, b)
			_, err := target.Load(dir)
			require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, test.says)
			require.ErrorContains(t, err, "hint: ")
			requireNoArchive(t, target)
		})
	}
}

// A manifest is a file from elsewhere: what it names stays inside the directory.
func TestLoadStaysInTheDirectory(t *testing.T) {
	t.Parallel()
	b, dir := savedDirectory(t)
	data, err := os.ReadFile(filepath.Join(dir, Manifest))
	require.NoError(t, err)
	var manifest []saved
	require.NoError(t, json.Unmarshal(data, &manifest))
	outside := filepath.Join(filepath.Dir(dir), "outside.tar")
	require.NoError(t, os.Rename(filepath.Join(dir, manifest[0].File), outside))
	altered := strings.ReplaceAll(string(data), manifest[0].File, "../outside.tar")
	writeFile(t, dir, Manifest, altered)
	target := elsewhere(t, b)
	_, err = target.Load(dir)
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	requireNoArchive(t, target)
}

func TestSaveIntoAFileBuildsNothing(t *testing.T) {
	t.Parallel()
	b, builds := testBuilder(t, FromBuild, "")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	err := b.Save(t.Context(), file)
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	require.Zero(t, builds.Load())
}

func TestCancelledEnsureLeavesNothing(t *testing.T) {
	t.Parallel()
	b, builds := testBuilder(t, FromBuild, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Ensure(ctx, Node)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, builds.Load())
	requireNoArchive(t, b)
}

func TestCopyFileLeavesNoPart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := filepath.Join(dir, "copy")
	_, err := copyFile(dir, target) // a directory opens and cannot be read
	require.Error(t, err)
	require.NoFileExists(t, target)
}
