package images

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

// testRegistry is a real registry in this process; it counts its answers to GET /v2/.
type testRegistry struct {
	host    string
	content v1.Image // what the index holds for this machine
	index   string   // digest of the index
	pings   atomic.Int64
	requests,
	corrupt atomic.Bool // requests: anything but a ping came; corrupt: blobs are altered on their way
}

func startRegistry(t *testing.T) *testRegistry {
	t.Helper()
	r := &testRegistry{}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.URL.Path == "/v2/" {
			r.pings.Add(1)
		} else {
			r.requests.Store(true)
		}
		if r.corrupt.Load() && strings.Contains(request.URL.Path, "/blobs/") {
			_, _ = w.Write([]byte("something else"))
			return
		}
		handler.ServeHTTP(w, request)
	}))
	t.Cleanup(server.Close)
	r.host = strings.TrimPrefix(server.URL, "http://")

	var err error
	r.content, err = random.Image(1024, 2)
	require.NoError(t, err)
	other, err := random.Image(512, 1)
	require.NoError(t, err)
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: other, Descriptor: v1.Descriptor{Platform: &v1.Platform{
			OS:           "linux",
			Architecture: "s390x",
		}}},
		mutate.IndexAddendum{Add: r.content, Descriptor: v1.Descriptor{Platform: &v1.Platform{
			OS:           "linux",
			Architecture: runtime.GOARCH,
		}}})
	tag, err := name.NewTag(r.host + "/thing:1.2")
	require.NoError(t, err)
	client := newTransport()
	defer client.CloseIdleConnections()
	require.NoError(t, remote.WriteIndex(tag, index, remote.WithTransport(client)))
	digest, err := index.Digest()
	require.NoError(t, err)
	r.index = digest.String()
	r.pings.Store(0)
	r.requests.Store(false)
	return r
}

// testBuilder builds "thing" by a recipe that makes a real image of one file, and counts how often
// it ran.
func testBuilder(t *testing.T, source Source, reference string) (b *Builder, builds *atomic.Int64) {
	t.Helper()
	builds = &atomic.Int64{}
	root := t.TempDir()
	writeFile(t, root, "input.sh", "echo 1")
	hello := func(n string) recipe {
		return recipe{version: "1.2", inputs: []string{"input.sh"}, build: func(_ context.Context, b *Builder,
			_ map[string][]string,
		) (v1.Image, error) {
			builds.Add(1)
			return b.single(n, v1.Config{Entrypoint: []string{"/hello"}}, map[string]entry{"/hello": {data: []byte(n)}})
		}}
	}
	b = &Builder{
		Root: root, Cache: t.TempDir(), Source: source,
		catalog: map[string]recipe{Node: hello(Node), PostgreSQL: hello(PostgreSQL), K6: hello(K6)},
		upstream: map[string]pin{
			Node: {Reference: reference}, PostgreSQL: {Reference: reference, Version: "15"},
			K6: {Built: "it is our own"},
		},
	}
	return b, builds
}

// TestNamed: an image that the user names, by tag or digest, is an archive under a reference that
// nothing pulls again.
func TestNamed(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	b, _ := testBuilder(t, FromAuto, "")
	id, err := r.content.ConfigName()
	require.NoError(t, err)
	var refs []string
	for _, reference := range []string{r.host + "/thing:1.2", r.host + "/thing@" + r.index, r.host + "/thing:1.2@" +
		r.index} {
		image, err := b.Named(t.Context(), reference)
		require.NoError(t, err, reference)
		require.Equal(t, id.String(), image.Digest, reference)
		require.True(t, image.Pulled)
		refs = append(refs, image.Ref)
		tag, err := name.NewTag(image.Ref)
		require.NoError(t, err)
		require.Equal(t, Repository, tag.RegistryStr())
		_, err = tarball.ImageFromPath(image.Archive, &tag)
		require.NoError(t, err)
	}
	require.Equal(t, refs[0], refs[1])
	require.Equal(t, refs[0], refs[2])
	for reference, code := range map[string]exit.Code{"A b": exit.Invalid, r.host + "/moon:1": exit.Environment} {
		_, err := b.Named(t.Context(), reference)
		require.Equal(t, code, exit.CodeOf(err), reference)
		require.ErrorContains(t, err, reference)
	}
}

func TestPullByDigest(t *testing.T) {
	t.Parallel()
	for _, source := range []Source{"", FromAuto, FromPull} {
		t.Run("source "+string(source), func(t *testing.T) {
			t.Parallel()
			r := startRegistry(t)
			reference := r.host + "/thing:1.2@" + r.index
			b, builds := testBuilder(t, source, reference)
			list, err := b.Ensure(t.Context(), Node, PostgreSQL, K6)
			require.NoError(t, err)
			node, postgresql, k6 := list[0], list[1], list[2]

			require.True(t, node.Pulled)
			require.False(t, node.Built)
			require.Equal(t, reference, node.Upstream)
			require.Equal(t, "1.2", node.Version, "the tag, where the pin names no version")
			require.Equal(t, "15", postgresql.Version)
			id, err := r.content.ConfigName()
			require.NoError(t, err)
			require.Equal(t, id.String(), node.Digest, "the image of this machine's architecture")
			tag, err := name.NewTag(node.Ref)
			require.NoError(t, err)
			require.Equal(t, Repository, tag.RegistryStr(), "nothing may pull the reference again")
			cached, err := tarball.ImageFromPath(node.Archive, &tag)
			require.NoError(t, err)
			want, err := r.content.Layers()
			require.NoError(t, err)
			got, err := cached.Layers()
			require.NoError(t, err)
			require.Len(t, got, len(want))
			for i := range want {
				wantID, err := want[i].DiffID()
				require.NoError(t, err)
				gotID, err := got[i].DiffID()
				require.NoError(t, err)
				require.Equal(t, wantID, gotID)
			}

			require.False(t, k6.Pulled)
			require.True(t, k6.Built)
			require.EqualValues(t, 1, builds.Load())

			r.requests.Store(false)
			listed, err := b.List()
			require.NoError(t, err)
			require.Equal(t, []Image{node, postgresql, {
				Name: K6, Ref: k6.Ref, Digest: k6.Digest, Archive: k6.Archive,
				Size: k6.Size, Version: "1.2",
			}}, listed)
			again, err := b.Ensure(t.Context(), Node)
			require.NoError(t, err)
			require.Equal(t, node, again[0])
			require.False(t, r.requests.Load(), "a cached image needs no registry")
		})
	}
}

func TestRegistryIsAskedOnce(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	b, _ := testBuilder(t, FromAuto, r.host+"/thing:1.2@"+r.index)
	registry, err := name.NewRegistry(r.host)
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, b.answers(t.Context(), registry))
	}
	require.EqualValues(t, 1, r.pings.Load())
}

func TestAutoBuildsWhereNoRegistryAnswers(t *testing.T) {
	t.Parallel()
	for name, host := range map[string]string{"refused": closedPort(t), "silent": silentPort(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, builds := testBuilder(t, FromAuto, host+"/thing:1.2@sha256:"+strings.Repeat("a", 64))
			started := time.Now()
			list, err := b.Ensure(t.Context(), Node, PostgreSQL, K6)
			require.NoError(t, err)
			require.Less(t, time.Since(started), 2*registryTimeout, "one wait, not one for each image")
			for _, image := range list {
				require.False(t, image.Pulled, image.Name)
				require.True(t, image.Built, image.Name)
				require.True(t, strings.HasPrefix(image.Ref, Repository+"/"+image.Name+":1.2-"), image.Ref)
			}
			require.EqualValues(t, 3, builds.Load())
			list, err = b.Ensure(t.Context(), Node)
			require.NoError(t, err)
			require.False(t, list[0].Built, "the cache holds it")
			require.EqualValues(t, 3, builds.Load())
		})
	}
}

func TestWrongContentIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		digest  string
		corrupt bool
	}{
		"unknown digest": {digest: "sha256:" + strings.Repeat("a", 64)},
		"altered blobs":  {corrupt: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRegistry(t)
			r.corrupt.Store(test.corrupt)
			digest := test.digest
			if digest == "" {
				digest = r.index
			}
			reference := r.host + "/thing:1.2@" + digest

			pulling, builds := testBuilder(t, FromPull, reference)
			_, err := pulling.Ensure(t.Context(), Node)
			require.Equal(t, exit.Environment, exit.CodeOf(err))
			require.ErrorContains(t, err, "image node: it cannot be pulled")
			require.ErrorContains(t, err, "hint: ")
			require.Zero(t, builds.Load())
			requireNoArchive(t, pulling)

			auto, builds := testBuilder(t, FromAuto, reference)
			list, err := auto.Ensure(t.Context(), Node)
			require.NoError(t, err)
			require.True(t, list[0].Built)
			require.False(t, list[0].Pulled)
			require.EqualValues(t, 1, builds.Load())
		})
	}
}

// A registry that gives another manifest for a digest is caught, whoever runs it.
func TestSwappedManifestIsRefused(t *testing.T) {
	t.Parallel()
	manifest := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			fmt.Fprint(w, manifest)
		}
	}))
	t.Cleanup(server.Close)
	digest := "sha256:" + strings.Repeat("b", 64)
	b, _ := testBuilder(t, FromPull, strings.TrimPrefix(server.URL, "http://")+"/thing:1.2@"+digest)
	_, err := b.Ensure(t.Context(), Node)
	require.ErrorContains(t, err, digest)
	require.ErrorContains(t, err, "does not match")
	requireNoArchive(t, b)
}

func TestSourceBuildAsksNoRegistry(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	b, builds := testBuilder(t, FromBuild, r.host+"/thing:1.2@"+r.index)
	list, err := b.Ensure(t.Context(), Node)
	require.NoError(t, err)
	require.True(t, list[0].Built)
	require.EqualValues(t, 1, builds.Load())
	require.Zero(t, r.pings.Load())
}

func TestPullNeedsItsRegistry(t *testing.T) {
	t.Parallel()
	b, builds := testBuilder(t, FromPull, closedPort(t)+"/thing:1.2@sha256:"+strings.Repeat("a", 64))
	_, err := b.Ensure(t.Context(), Node)
	require.Equal(t, exit.Environment, exit.CodeOf(err))
	require.ErrorContains(t, err, "does not answer")
	require.Zero(t, builds.Load())
}

func TestUnknownSourceAndImage(t *testing.T) {
	t.Parallel()
	b, _ := testBuilder(t, "guess", "")
	_, err := b.Ensure(t.Context(), Node)
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	require.ErrorContains(t, err, "choose auto, build or pull")
	b.Source = FromAuto
	_, err = b.Ensure(t.Context(), "windows")
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	require.ErrorContains(t, err, "choose from")
}

// Each image is either pinned to a digest or says why it is built, and pins agree with what would
// be built.
func TestPins(t *testing.T) {
	t.Parallel()
	all, err := pins()
	require.NoError(t, err)
	b := &Builder{Root: sourceTree(t), Cache: t.TempDir()}
	names := append(Names(), Optional()...)
	require.Len(t, all, len(names))
	for _, n := range names {
		p, ok := all[n]
		require.True(t, ok, n)
		require.NotEqual(t, p.Reference == "", p.Built == "", "%s: a reference or a reason", n)
		if p.Reference == "" {
			continue
		}
		image, err := b.describePulled(n, p)
		require.NoError(t, err, n)
		require.Contains(t, p.Reference, "@sha256:", n)
		if n != Node { // kind's default is of its own minor version
			require.Equal(t, b.recipes()[n].version, image.Version, n)
		}
	}
	require.True(t, strings.HasPrefix(all[Node].Reference, "kindest/node:v1."))
}

func requireNoArchive(t *testing.T, b *Builder) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(b.Cache, "images", "*"))
	require.NoError(t, err)
	require.Empty(t, left, "no part of a refused image may stay")
}

// closedPort returns an address that refuses connections.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// silentPort returns an address that takes connections and never answers.
func silentPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	return listener.Addr().String()
}
