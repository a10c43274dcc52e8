package chart_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
)

// host serves a handler on loopback and returns its HOST:PORT.
func host(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func newRegistry() http.Handler { return registry.New(registry.Logger(log.New(io.Discard, "", 0))) }

// released packages charts/openbao and pushes it below oci://HOST/charts.
func released(t *testing.T, host string) chart.Archive {
	t.Helper()
	archive, err := chart.Package(openbao, t.TempDir())
	require.NoError(t, err)
	target, err := chart.NewTarget("oci://"+host+"/charts", archive.Path, archive)
	require.NoError(t, err)
	_, err = target.Push(t.Context(), time.Unix(0, 0))
	require.NoError(t, err)
	return archive
}

// TestPullOCI pulls by each kind of reference, and expects the chart that was pushed and the
// digests that identify it.
func TestPullOCI(t *testing.T) {
	t.Parallel()
	host := host(t, newRegistry())
	archive := released(t, host)
	local, err := chart.Load(openbao)
	require.NoError(t, err)
	base := "oci://" + host + "/charts/openbao"
	byTag, err := chart.Fetcher{}.Load(t.Context(), chart.Source{Name: base + ":" + archive.Version})
	require.NoError(t, err)
	info := byTag.Info()
	require.Equal(t, local.Info().Digest, info.Digest)
	require.Equal(t, archive.Digest, info.Archive)
	require.Equal(t, base+":"+archive.Version, info.Source)
	require.Regexp(t, "^sha256:[0-9a-f]{64}$", info.Manifest)
	for _, source := range []chart.Source{
		{Name: base, Version: archive.Version},
		{Name: base + ":" + archive.Version, Version: archive.Version},
		{Name: base + "@" + info.Manifest},
		{Name: base + "@" + info.Manifest, Version: archive.Version},
		{Name: base + ":" + archive.Version + "@" + info.Manifest},
	} {
		c, err := chart.Fetcher{}.Load(t.Context(), source)
		require.NoError(t, err, "%+v", source)
		require.Equal(t, info.Manifest, c.Info().Manifest)
		require.Equal(t, info.Archive, c.Info().Archive)
	}
	other, err := chart.Fetcher{}.Load(t.Context(), chart.Source{Name: base + "@" + info.Manifest, Version: "9.9.9"})
	require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", other)
	require.ErrorContains(t, err, "its Chart.yaml says version "+archive.Version)
}

// TestPulledIsKept: what was pulled is found again where nothing answers any more, with all its
// digests.
func TestPulledIsKept(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newRegistry())
	t.Cleanup(server.Close)
	where := strings.TrimPrefix(server.URL, "http://")
	archive := released(t, where)
	source := chart.Source{Name: "oci://" + where + "/charts/" + archive.Name, Version: archive.Version}
	kept := chart.Pulled{}
	first, err := chart.Fetcher{Pulled: kept}.Load(t.Context(), source)
	require.NoError(t, err)
	server.Close()
	data, err := json.Marshal(kept)
	require.NoError(t, err)
	var handed chart.Pulled
	require.NoError(t, json.Unmarshal(data, &handed))
	again, err := chart.Fetcher{Pulled: handed}.Load(t.Context(), source)
	require.NoError(t, err)
	require.Equal(t, first.Info(), again.Info())
	_, err = chart.Fetcher{Timeout: 5 * time.Second}.Load(t.Context(), source)
	require.Error(t, err, "it is the kept one that was found")
}

// tamper changes the last byte of each large answer.
func tamper(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		inner.ServeHTTP(recorder, r)
		body := recorder.Body.Bytes()
		if r.Method == http.MethodGet && len(body) > 5000 {
			body[len(body)-1] ^= 1
		}
		for key, values := range recorder.Header() {
			w.Header()[key] = values
		}
		w.WriteHeader(recorder.Code)
		_, _ = w.Write(body)
	})
}

func TestPullOCIRefuses(t *testing.T) {
	t.Parallel()
	inner := newRegistry()
	good, bad := host(t, inner), host(t, tamper(inner))
	archive := released(t, good)
	image, err := random.Image(100, 1)
	require.NoError(t, err)
	tag, err := name.NewTag(good + "/charts/image:1.0.0")
	require.NoError(t, err)
	require.NoError(t, remote.Write(tag, image))
	locked := host(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="charts"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	for name, tc := range map[string]struct {
		source chart.Source
		want   []string
	}{
		"no version": {
			chart.Source{Name: "oci://" + good + "/charts/openbao"},
			[]string{"neither a version nor a digest", archive.Version},
		},
		"no such version": {
			chart.Source{Name: "oci://" + good + "/charts/openbao", Version: "9.9.9"},
			[]string{"9.9.9", "not found", archive.Version},
		},
		"no such chart": {
			chart.Source{Name: "oci://" + good + "/charts/moon", Version: "1.0.0"},
			[]string{"moon", "not found"},
		},
		"no such digest": {
			chart.Source{Name: "oci://" + good + "/charts/openbao@sha256:" + strings.Repeat("0", 64)},
			[]string{"not found", "registry login"},
		},
		"changed bytes": {
			chart.Source{Name: "oci://" + bad + "/charts/openbao", Version: archive.Version},
			[]string{"mismatch"},
		},
		"no chart": {chart.Source{Name: "oci://" + good + "/charts/image:1.0.0"}, []string{"it cannot be pulled"}},
		"locked": {chart.Source{Name: "oci://" + locked + "/charts/openbao:1.0.0"}, []string{
			"credential not found",
			"helm registry login " + locked,
		}},
		"nobody there": {chart.Source{Name: "oci://127.0.0.1:1/charts/openbao:1.0.0"}, []string{"refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := chart.Fetcher{}.Load(t.Context(), tc.source)
			require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
			for _, part := range append(tc.want, "hint: ") {
				require.ErrorContains(t, err, part)
			}
		})
	}
}

// silent accepts connections and never answers.
func silent(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	return listener.Addr().String()
}

// TestPullEnds: a registry or repository that accepts connections and says nothing costs the
// timeout and no more, and Ctrl-C ends it.
func TestPullEnds(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]chart.Source{
		"registry":   {Name: "oci://" + silent(t) + "/charts/openbao:1.0.0"},
		"repository": {Name: "openbao", Repo: "http://" + silent(t), Version: "1.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started := time.Now()
			_, err := chart.Fetcher{Timeout: 300 * time.Millisecond}.Load(t.Context(), source)
			require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, "no answer within 300ms")
			require.Less(t, time.Since(started), 10*time.Second)

			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errors.New("Ctrl-C"))
			_, err = chart.Fetcher{}.Load(ctx, source)
			require.Equal(t, context.Canceled, err)
		})
	}
}

// TestPullIsAnnounced holds the answer back until the wait has been announced.
func TestPullIsAnnounced(t *testing.T) {
	t.Parallel()
	announced, inner := make(chan string, 1), newRegistry()
	archive := released(t, host(t, inner))
	heard := sync.OnceValue(func() string { return <-announced })
	slow := host(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard()
		inner.ServeHTTP(w, r)
	}))
	_, err := chart.Fetcher{Log: func(line string) { announced <- line }}.Load(t.Context(), chart.Source{
		Name: "oci://" + slow + "/charts/openbao", Version: archive.Version,
	})
	require.NoError(t, err)
	require.Contains(t, heard(), "pulling chart oci://"+slow+"/charts/openbao:"+archive.Version)
}

func TestSourceCheck(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("a", 64)
	for name, tc := range map[string]struct {
		source chart.Source
		want   string // empty: good
	}{
		"directory":        {chart.Source{Name: "charts/openbao"}, ""},
		"repository":       {chart.Source{Name: "openbao", Repo: "https://charts.example/a", Version: "1.0.0"}, ""},
		"oci":              {chart.Source{Name: "oci://registry.example/a/b", Version: "1.0.0+build"}, ""},
		"oci digest":       {chart.Source{Name: "oci://registry.example:5000/a/b@" + digest}, ""},
		"path and version": {chart.Source{Name: "charts/openbao", Version: "1"}, "is a path"},
		"no http":          {chart.Source{Name: "openbao", Repo: "ftp://charts.example"}, "not an http or https URL"},
		"oci as repo":      {chart.Source{Name: "openbao", Repo: "oci://charts.example"}, "--chart oci://"},
		"oci in a repo": {
			chart.Source{Name: "oci://a.example/b", Repo: "https://charts.example"},
			"not the name of a chart",
		},
		"repository and slash": {
			chart.Source{Name: "gitlab/openbao", Repo: "https://charts.example"},
			"not the name of a chart",
		},
		"two versions": {
			chart.Source{Name: "oci://a.example/b:1.0.0", Version: "2.0.0"},
			"already names version 1.0.0",
		},
		"no path":      {chart.Source{Name: "oci://a.example", Version: "1.0.0"}, "invalid"},
		"bad tag":      {chart.Source{Name: "oci://a.example/b", Version: "a b"}, "invalid"},
		"short digest": {chart.Source{Name: "oci://a.example/b@sha256:abc"}, "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tc.source.Check()
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, tc.want)
		})
	}
	for _, source := range []chart.Source{
		{Name: "oci://user:hunter2@a.example/b", Version: "1.0.0"},
		{Name: "openbao", Repo: "https://user:hunter2@charts.example", Version: "1.0.0"},
		{Name: "openbao", Repo: "https://charts.example?token=hunter2", Version: "1.0.0"},
		{Name: "openbao", Repo: "://user:hunter2@charts.example", Version: "1.0.0"},
	} {
		err := source.Check()
		require.Equal(t, exit.Invalid, exit.CodeOf(err), "%+v", source)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func FuzzSourceCheck(f *testing.F) {
	f.Add("charts/openbao", "", "")
	f.Add("oci://a.example:1/b/c:1+2", "", "1+2")
	f.Add("oci://a@b@sha256:c", "", "")
	f.Add("openbao", "https://a.example", "1.0.0")
	f.Fuzz(func(t *testing.T, name, repo, version string) {
		source := chart.Source{Name: name, Repo: repo, Version: version}
		_ = source.String()
		if err := source.Check(); err != nil {
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
		}
	})
}

// TestCredentials: what Helm keeps is used, and no error repeats it. Not parallel: Helm reads the
// paths from the environment.
func TestCredentials(t *testing.T) {
	inner := newRegistry()
	archive := released(t, host(t, inner))
	files := index(t, archive, archive.Digest)
	guard := func(inner http.Handler) string {
		return host(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, password, _ := r.BasicAuth(); user != "reader" || password != "hunter2" {
				w.Header().Set("WWW-Authenticate", `Basic realm="charts"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			inner.ServeHTTP(w, r)
		}))
	}
	registry, repo := guard(inner), "http://"+guard(http.FileServer(http.Dir(files)))
	for _, source := range []chart.Source{
		{Name: "oci://" + registry + "/charts/openbao", Version: archive.Version},
		{Name: "openbao", Repo: repo, Version: archive.Version},
	} {
		for password, want := range map[string]bool{"hunter2": true, "hunter3": false} {
			dir := t.TempDir()
			login := filepath.Join(dir, "config.json")
			auth := `{"auths": {"` + registry + `": {"auth": "` + basic("reader", password) + `"}}}`
			require.NoError(t, os.WriteFile(login, []byte(auth), 0o600))
			kept := filepath.Join(dir, "repositories.yaml")
			entry := "apiVersion: v1\nrepositories:\n- {name: mine, url: \"" + repo + "/\", username: reader, password: " +
				password + "}\n"
			require.NoError(t, os.WriteFile(kept, []byte(entry), 0o600))
			t.Setenv("HELM_REGISTRY_CONFIG", login)
			t.Setenv("HELM_REPOSITORY_CONFIG", kept)
			_, err := chart.Fetcher{}.Load(t.Context(), source)
			require.Equal(t, want, err == nil, "%s %v", source, err)
			if err != nil {
				require.Equal(t, exit.Invalid, exit.CodeOf(err))
				require.False(t, bytes.Contains([]byte(err.Error()), []byte(password)), "%v", err)
			}
		}
	}
}
