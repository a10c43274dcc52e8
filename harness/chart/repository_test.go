package chart_test

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	helmchart "helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/repo"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
)

func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// index makes the files of a Helm repository that holds one archive and states a digest for it;
// further entries name no URL that exists.
func index(t *testing.T, archive chart.Archive, digest string) string {
	t.Helper()
	dir := t.TempDir()
	data, err := os.ReadFile(archive.Path)
	require.NoError(t, err)
	file := filepath.Base(archive.Path)
	require.NoError(t, os.WriteFile(filepath.Join(dir, file), data, 0o600))
	entries := repo.NewIndexFile()
	for version, path := range map[string]string{archive.Version: file, archive.Version + "-rc.1": "gone.tgz"} {
		meta := &helmchart.Metadata{APIVersion: "v2", Name: "openbao", Version: version}
		require.NoError(t, entries.MustAdd(meta, path, "", strings.TrimPrefix(digest, "sha256:")))
	}
	require.NoError(t, entries.WriteFile(filepath.Join(dir, "index.yaml"), 0o600))
	return dir
}

// TestPullRepo pulls from an HTTP repository, and expects the chart that the archive was packaged
// from.
func TestPullRepo(t *testing.T) {
	t.Parallel()
	archive, err := chart.Package(openbao, t.TempDir())
	require.NoError(t, err)
	local, err := chart.Load(openbao)
	require.NoError(t, err)
	for name, stated := range map[string]string{"digest": archive.Digest, "no digest": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := "http://" + host(t, http.FileServer(http.Dir(index(t, archive, stated))))
			for _, repo := range []string{url, url + "/"} {
				c, err := chart.Fetcher{}.Load(t.Context(), chart.Source{Name: "openbao", Repo: repo, Version: archive.Version})
				require.NoError(t, err)
				require.Equal(t, local.Info().Digest, c.Info().Digest)
				require.Equal(t, archive.Digest, c.Info().Archive)
				require.Empty(t, c.Info().Manifest)
				require.Equal(t, "openbao "+archive.Version+" of "+repo, c.Info().Source)
			}
		})
	}
}

// TestPullRepoToOCI follows an index that leads to a registry.
func TestPullRepoToOCI(t *testing.T) {
	t.Parallel()
	registry := host(t, newRegistry())
	archive := released(t, registry)
	for stated, want := range map[string]string{archive.Digest: "", "sha256:" + strings.Repeat("0",
		64): "but sha256:000"} {
		dir := index(t, archive, stated)
		file := filepath.Join(dir, "index.yaml")
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		leads := strings.ReplaceAll(string(text), filepath.Base(archive.Path), "oci://"+registry+"/charts/openbao")
		require.NoError(t, os.WriteFile(file, []byte(leads), 0o600))
		c, err := chart.Fetcher{}.Load(t.Context(), chart.Source{
			Name: "openbao", Repo: "http://" + host(t, http.FileServer(http.Dir(dir))), Version: archive.Version,
		})
		if want == "" {
			require.NoError(t, err)
			require.Equal(t, archive.Digest, c.Info().Archive)
			continue
		}
		require.Equal(t, exit.Invalid, exit.CodeOf(err))
		require.ErrorContains(t, err, want)
	}
}

func TestPullRepoRefuses(t *testing.T) {
	t.Parallel()
	archive, err := chart.Package(openbao, t.TempDir())
	require.NoError(t, err)
	broken := filepath.Join(t.TempDir(), filepath.Base(archive.Path))
	require.NoError(t, os.WriteFile(broken, []byte("no archive"), 0o600))
	other := archive
	other.Path = broken
	good := "http://" + host(t, http.FileServer(http.Dir(index(t, archive, archive.Digest))))
	html := "http://" + host(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_,
			_ = w.Write([]byte("<html>no index</html>"))
	}))
	for name, tc := range map[string]struct {
		name, repo, version string
		want                []string
	}{
		"no version":      {"openbao", good, "", []string{"no version is named", archive.Version}},
		"no such version": {"openbao", good, "9.9.9", []string{"--chart-version 9.9.9", archive.Version}},
		"a range":         {"openbao", good, ">0.0.0", []string{"no such version"}},
		"no such chart":   {"moon", good, "1.0.0", []string{"--chart moon", "no such chart"}},
		"no archive":      {"openbao", good, archive.Version + "-rc.1", []string{"404"}},
		"no index":        {"openbao", html, "1.0.0", []string{"index.yaml"}},
		"no repository":   {"openbao", good + "/moon", "1.0.0", []string{"index.yaml", "404"}},
		"nobody there":    {"openbao", "http://127.0.0.1:1", "1.0.0", []string{"refused"}},
		"changed bytes": {
			"openbao", "http://" + host(t, http.FileServer(http.Dir(index(t, other, archive.Digest)))), archive.Version,
			[]string{"was stated", archive.Digest},
		},
		"broken archive": {
			"openbao", "http://" + host(t, http.FileServer(http.Dir(index(t, other, "")))), archive.Version,
			[]string{"broken"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := chart.Fetcher{}.Load(t.Context(), chart.Source{Name: tc.name, Repo: tc.repo, Version: tc.version})
			require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
			for _, part := range append(tc.want, "hint: ") {
				require.ErrorContains(t, err, part)
			}
		})
	}
}
