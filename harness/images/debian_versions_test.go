package images

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

// mirror is Debian's in a test: it has one version of everything, or does not answer.
type mirror struct {
	version atomic.Value // string
	down    atomic.Bool
	asked   atomic.Int64
}

func (m *mirror) simulate(ctx context.Context, r rootfs) ([]string, error) {
	m.asked.Add(1)
	if m.down.Load() {
		return nil, errors.New("temporary failure resolving the mirror")
	}
	var packages []string
	for _, p := range append([]string{"libc6"}, r.packages...) {
		packages = append(packages, p+"="+m.version.Load().(string))
	}
	return packages, ctx.Err()
}

// debianBuilder builds node and postgresql of Debian packages that a mirror has; its root file
// systems are files that say what they hold.
func debianBuilder(t *testing.T) (*Builder, *mirror, *atomic.Int64) {
	t.Helper()
	b, builds := testBuilder(t, FromBuild, "")
	m := &mirror{}
	m.version.Store("1:2.36-9+deb12u1")
	b.simulate = m.simulate
	for n, label := range map[string]string{Node: "systemd", PostgreSQL: "postgresql-15"} {
		r, inner := b.catalog[n], b.catalog[n].build
		root := rootfs{label: label, variant: "minbase", packages: []string{label}}
		r.debian = []rootfs{root}
		r.build = func(ctx context.Context, b *Builder, debian map[string][]string) (v1.Image, error) {
			path, err := b.debianPath(root, debian[root.label])
			if err != nil {
				return nil, err
			}
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755),
				os.WriteFile(path, []byte(strings.Join(debian[root.label], "\n")), 0o600)); err != nil {
				return nil, err
			}
			return inner(ctx, b, debian)
		}
		b.catalog[n] = r
	}
	return b, m, builds
}

// age sets back when the mirror was asked, for all root file systems.
func age(t *testing.T, b *Builder, by time.Duration) {
	t.Helper()
	for _, path := range keptFiles(t, b) {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		var k resolved
		require.NoError(t, json.Unmarshal(data, &k))
		k.Asked = k.Asked.Add(-by)
		require.NoError(t, writeKept(path, &k))
	}
}

func keptFiles(t *testing.T, b *Builder) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(b.Cache, "images", "*.versions.json"))
	require.NoError(t, err)
	return files
}

func ensureOne(t *testing.T, b *Builder, n string) Image {
	t.Helper()
	list, err := b.Ensure(t.Context(), n)
	require.NoError(t, err)
	return list[0]
}

// TestTagCoversVersions: what decides the tag and what is built, from one call of a command to
// another.
func TestTagCoversVersions(t *testing.T) {
	t.Parallel()
	const newer = "1:2.36-9+deb12u2"
	for name, test := range map[string]struct {
		between func(t *testing.T, b *Builder, m *mirror)
		other   bool  // tag
		asked   int64 // times in the second call
	}{
		"same day":                 {func(*testing.T, *Builder, *mirror) {}, false, 0},
		"same day, newer versions": {func(_ *testing.T, _ *Builder, m *mirror) { m.version.Store(newer) }, false, 0},
		"same day, no mirror":      {func(_ *testing.T, _ *Builder, m *mirror) { m.down.Store(true) }, false, 0},
		"next day, same versions":  {func(t *testing.T, b *Builder, _ *mirror) { age(t, b, askedDaily) }, false, 1},
		"next day, newer versions": {func(t *testing.T, b *Builder,
			m *mirror,
		) {
			age(t, b, askedDaily)
			m.version.Store(newer)
		}, true, 1},
		"next day, no mirror": {func(t *testing.T, b *Builder, m *mirror) {
			age(t, b, askedDaily)
			m.down.Store(
				true)
		}, false, 1},
		"a clock that was wrong": {func(t *testing.T, b *Builder,
			m *mirror,
		) {
			age(t, b, -time.Hour)
			m.version.Store(newer)
		}, true, 1},
		"next day, without a network": {func(t *testing.T, b *Builder,
			_ *mirror,
		) {
			age(t, b, askedDaily)
			b.Offline = true
		}, false, 0},
		"next year, without a network": {func(t *testing.T, b *Builder,
			_ *mirror,
		) {
			age(t, b, 365*askedDaily)
			b.Offline = true
		}, false, 0},
		"an empty kept file": {func(t *testing.T, b *Builder, _ *mirror) { overwrite(t, b, "") }, false, 1},
		"a kept file cut short": {func(t *testing.T, b *Builder,
			_ *mirror,
		) {
			overwrite(t, b, `{"packages":["libc6=1"`)
		}, false, 1},
		"a kept file without the package": {func(t *testing.T, b *Builder, _ *mirror) { keep(t, b, "libc6=1") }, false, 1},
		"a kept file without versions":    {func(t *testing.T, b *Builder, _ *mirror) { keep(t, b, "systemd=") }, false, 1},
		"a kept file with other arguments": {func(t *testing.T, b *Builder, _ *mirror) {
			keep(t, b, "systemd=1",
				"--hook=rm")
		}, false, 1},
		"a dependency's version alone": {func(t *testing.T, b *Builder, _ *mirror) {
			keep(t, b, "libc6=2",
				"systemd=1:2.36-9+deb12u1")
		}, true, 0},
		"the command keeps to its versions, whatever others learn": {func(t *testing.T, b *Builder, _ *mirror) {
			b.Versions = &Versions{}
			ensureOne(t, b, Node)
			keep(t, b, "libc6=2", "systemd=2")
		}, false, 0},
		"its second part does so, too": {func(t *testing.T, b *Builder, _ *mirror) {
			first := &Versions{}
			b.Versions = first
			ensureOne(t, b, Node)
			keep(t, b, "libc6=2", "systemd=2")
			b.Offline, b.Versions = true, &Versions{}
			b.Versions.Adopt(first.All())
		}, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, m, builds := debianBuilder(t)
			first := ensureOne(t, b, Node)
			require.True(t, first.Built)
			require.Equal(t, map[string][]string{"systemd": {"libc6=1:2.36-9+deb12u1", "systemd=1:2.36-9+deb12u1"}},
				first.Packages)
			test.between(t, b, m)
			asked := m.asked.Load()
			second := ensureOne(t, b, Node)
			require.Equal(t, test.other, first.Ref != second.Ref)
			require.Equal(t, test.other, second.Built)
			require.FileExists(t, first.Archive, "images of other versions stay")
			if test.other {
				require.EqualValues(t, 2, builds.Load())
			}
			require.Equal(t, test.asked, m.asked.Load()-asked)
			asked = m.asked.Load()
			require.Equal(t, second.Ref, ensureOne(t, b, Node).Ref)
			require.Equal(t, asked, m.asked.Load(), "once a day, answered or not")
		})
	}
}

func overwrite(t *testing.T, b *Builder, text string) {
	t.Helper()
	for _, path := range keptFiles(t, b) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
}

func keep(t *testing.T, b *Builder, packages ...string) {
	t.Helper()
	for _, path := range keptFiles(t, b) {
		require.NoError(t, writeKept(path, &resolved{Packages: packages, Found: time.Now(), Asked: time.Now()}))
	}
}

// TestTwoMachines: of other versions they build other tags, of the same ones the same.
func TestTwoMachines(t *testing.T) {
	t.Parallel()
	refs := map[string]bool{}
	for _, version := range []string{"1", "2", "1"} {
		b, m, _ := debianBuilder(t)
		m.version.Store(version)
		refs[ensureOne(t, b, PostgreSQL).Ref] = true
	}
	require.Len(t, refs, 2)
}

// TestUnknownVersions: nothing is kept and the mirror does not answer.
func TestUnknownVersions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		offline bool
		asked   int64
		says    string
	}{
		"no mirror":       {false, 1, "temporary failure resolving the mirror"},
		"without network": {true, 0, "there is no network here"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, m, builds := debianBuilder(t)
			m.down.Store(true)
			b.Offline = test.offline
			_, err := b.Ensure(t.Context(), Node)
			require.Equal(t, exit.Environment, exit.CodeOf(err))
			require.ErrorContains(t, err, "versions of the Debian packages of systemd")
			require.ErrorContains(t, err, test.says)
			require.Equal(t, test.asked, m.asked.Load())
			require.Zero(t, builds.Load())
			require.Empty(t, keptFiles(t, b), "no answer is no versions")
			listed, err := b.List()
			require.NoError(t, err)
			require.Equal(t, Image{Name: Node, Version: "1.2"}, listed[0], "no tag is made up")
			require.True(t, ensureOne(t, b, K6).Built, "what has no Debian packages needs no mirror")
		})
	}
}

// TestPulledNeedsNoVersions: an image that a registry has is pulled though Debian's mirror does
// not answer, and no mirror is asked once it is there.
func TestPulledNeedsNoVersions(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	b, m, _ := debianBuilder(t)
	b.Source, b.upstream[Node] = FromAuto, pin{Reference: r.host + "/thing:1.2@" + r.index}
	m.down.Store(true)
	require.True(t, ensureOne(t, b, Node).Pulled)
	asked := m.asked.Load()
	require.True(t, ensureOne(t, b, Node).Pulled)
	require.Equal(t, asked, m.asked.Load())
}

// TestOldVersionsAreSaid: whoever goes by old versions is told, with their day.
func TestOldVersionsAreSaid(t *testing.T) {
	t.Parallel()
	b, m, _ := debianBuilder(t)
	ensureOne(t, b, Node)
	age(t, b, askedDaily)
	m.down.Store(true)
	var said []string
	b.Progress = func(work string, _ float64) { said = append(said, work) }
	ensureOne(t, b, Node)
	require.Contains(t, strings.Join(said, "\n"), "does not answer: keeping the versions of systemd from "+
		time.Now().UTC().Format(time.DateOnly))
}

// TestVersionsBeforeFetching: an hour after the mirror was asked it may have newer packages and no
// old ones, so before any are fetched it is asked again.
func TestVersionsBeforeFetching(t *testing.T) {
	t.Parallel()
	b, m, _ := debianBuilder(t)
	first := ensureOne(t, b, Node)
	age(t, b, time.Hour)
	m.version.Store("2")
	for _, pattern := range []string{"rootfs/*.tar", "images/*.tar"} {
		files, err := filepath.Glob(filepath.Join(b.Cache, pattern))
		require.NoError(t, err)
		for _, file := range files {
			require.NoError(t, os.Remove(file))
		}
	}
	second := ensureOne(t, b, Node)
	require.NotEqual(t, first.Ref, second.Ref)
	require.Equal(t, []string{"libc6=2", "systemd=2"}, second.Packages["systemd"])
	require.Equal(t, second.Ref, ensureOne(t, b, Node).Ref)
}

// TestVersionsAreAskedForOnce: processes that start together on a cache ask once, and choose the
// same image.
func TestVersionsAreAskedForOnce(t *testing.T) {
	t.Parallel()
	b, m, builds := debianBuilder(t)
	refs := make([]string, 8)
	var group sync.WaitGroup
	for i := range refs {
		group.Go(func() {
			other := &Builder{
				Root: b.Root, Cache: b.Cache, Source: b.Source, catalog: b.catalog, upstream: b.upstream,
				simulate: b.simulate,
			}
			path, err := other.keptPath(b.catalog[Node].debian[0])
			if err == nil { // past the lock of the image, which would serialise them before
				_, err = other.ask(t.Context(), b.catalog[Node].debian[0], path, askedDaily)
			}
			list, ensureErr := other.Ensure(t.Context(), Node)
			if errors.Join(err, ensureErr) == nil {
				refs[i] = list[0].Ref
			}
		})
	}
	group.Wait()
	require.NotEmpty(t, refs[0])
	for _, ref := range refs {
		require.Equal(t, refs[0], ref)
	}
	require.EqualValues(t, 1, m.asked.Load())
	require.EqualValues(t, 1, builds.Load())
	partial, err := filepath.Glob(filepath.Join(b.Cache, "images", "*.partial"))
	require.NoError(t, err)
	require.Empty(t, partial)
}

// TestVersionsTravel: a machine without any network knows the versions of images that it loaded;
// versions that do not belong to the tag are refused.
func TestVersionsTravel(t *testing.T) {
	t.Parallel()
	b, _, _ := debianBuilder(t)
	dir := t.TempDir()
	require.NoError(t, b.Save(t.Context(), dir))
	target := elsewhere(t, b)
	target.Offline = true
	loaded, err := target.Load(dir)
	require.NoError(t, err)
	require.Equal(t, ensureOne(t, b, Node).Ref, loaded[0].Ref)
	require.Equal(t, loaded[0], ensureOne(t, target, Node))

	data, err := os.ReadFile(filepath.Join(dir, Manifest))
	require.NoError(t, err)
	for name, text := range map[string]string{
		"other versions": strings.ReplaceAll(string(data), "deb12u1", "deb12u9"),
		"no versions":    strings.ReplaceAll(string(data), `"packages"`, `"other"`),
		"no reference":   strings.ReplaceAll(strings.ReplaceAll(string(data), `"packages"`, `"other"`), `"ref"`, `"other"`),
	} {
		writeFile(t, dir, Manifest, text)
		target := elsewhere(t, b)
		_, err := target.Load(dir)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), name)
		require.ErrorContains(t, err, "this source tree makes another image", name)
		requireNoArchive(t, target)
		require.Empty(t, keptFiles(t, target), name)
	}
}
