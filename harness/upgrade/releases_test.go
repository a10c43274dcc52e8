package upgrade_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/upgrade"
)

func TestReleases(t *testing.T) {
	t.Parallel()
	r := upgrade.Releases{Place: filepath.Dir(released), Head: load(t, reference)}
	for _, place := range []string{r.Place, r.Place + "/index.yaml"} {
		r.Place = place
		found, err := r.Find(t.Context(), "--from", "0.1.0")
		require.NoError(t, err)
		require.Equal(t, "0.1.0", found.Info().Version)
	}
	head, err := r.Find(t.Context(), "--to", upgrade.Head)
	require.NoError(t, err)
	require.Same(t, r.Head, head)
	path, err := r.Find(t.Context(), "--from", released)
	require.NoError(t, err)
	require.Equal(t, "0.1.0", path.Info().Version)
	for name, tc := range map[string]struct{ place, version, want string }{
		"no such release":   {filepath.Dir(released), "9.9.9", "choose from 0.1.0"},
		"no such directory": {"/nowhere", "0.1.0", "no such file"},
		"no releases":       {t.TempDir(), "0.1.0", "no releases of the chart"},
		"no place":          {"", "0.1.0", "add --releases"},
		"no such file":      {"", "./openbao-0.1.0.tgz", "no such file"},
		"no such scheme":    {"ftp://charts", "0.1.0", "http or https"},
	} {
		r.Place = tc.place
		_, err := r.Find(t.Context(), "--from", tc.version)
		require.ErrorContains(t, err, tc.want, name)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), name)
	}
}

// repository serves the released chart as a Helm repository, on loopback.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	data, err := os.ReadFile(released)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(released)), data, 0o600))
	index := "apiVersion: v1\nentries:\n  openbao:\n  - {apiVersion: v2, name: openbao, version: 0.1.0, urls: [" +
		filepath.Base(released) + "]}\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "index.yaml"), []byte(index), 0o600))
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	return server.URL
}

// registryOf serves the released chart from an OCI registry, on loopback.
func registryOf(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	place := "oci://" + strings.TrimPrefix(server.URL, "http://") + "/charts"
	info := load(t, released).Info()
	target, err := chart.NewTarget(place, released, chart.Archive{
		Digest: info.Archive, Name: info.Name, Version: info.Version,
	})
	require.NoError(t, err)
	_, err = target.Push(t.Context(), time.Unix(0, 0))
	require.NoError(t, err)
	return place
}

// TestReleasesElsewhere finds a release in a repository and in a registry, and upgrades from it.
func TestReleasesElsewhere(t *testing.T) {
	t.Parallel()
	local := load(t, released).Info()
	for kind, place := range map[string]string{"http": repository(t), "oci": registryOf(t)} {
		r := upgrade.Releases{Place: place, Head: load(t, reference)}
		found, err := r.Find(t.Context(), "--from", "0.1.0")
		require.NoError(t, err, kind)
		require.Equal(t, local.Digest, found.Info().Digest, kind)
		predicted, err := upgrade.Predict(upgrade.Edge{
			From: upgrade.Stop{Name: "0.1.0", Chart: found}, To: upgrade.Stop{Name: "head", Chart: r.Head},
		}, setting(t))
		require.NoError(t, err, kind)
		require.Greater(t, predicted.Objects, 5, kind)

		_, err = r.Find(t.Context(), "--from", "9.9.9")
		require.Equal(t, exit.Invalid, exit.CodeOf(err), kind)
		require.ErrorContains(t, err, "--from 9.9.9", kind)
		require.ErrorContains(t, err, "0.1.0", kind)
	}
}
