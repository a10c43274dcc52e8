package chart_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/downloader"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
)

// write makes the files of a chart.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "x")
	for name, text := range files {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	return dir
}

// umbrella is a chart with four dependencies, which Helm keeps in a map.
func umbrella() map[string]string {
	files := map[string]string{
		"Chart.yaml":  "apiVersion: v2\nname: x\nversion: 1.0.0\ndependencies:\n",
		"values.yaml": "a: {on: true}\n",
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		files["Chart.yaml"] += "- {name: " + name + ", version: 1.0.0, condition: " + name + ".on}\n"
		files["charts/"+name+"/Chart.yaml"] = "apiVersion: v2\nname: " + name + "\nversion: 1.0.0\n"
		files["charts/"+name+"/templates/x.yaml"] = "kind: " + name + "\n"
	}
	return files
}

// TestPackage: the same files make the same bytes, whenever and wherever, and the archive is the
// chart.
func TestPackage(t *testing.T) {
	t.Parallel()
	copied := filepath.Join(t.TempDir(), "elsewhere")
	require.NoError(t, os.CopyFS(copied, os.DirFS(openbao)))
	old := time.Unix(1e9, 0)
	require.NoError(t, os.Chtimes(filepath.Join(copied, "values.yaml"), old, old))
	many := umbrella()
	for name, dirs := range map[string][2]string{"openbao": {openbao, copied}, "dependencies": {
		write(t, many),
		write(t, many),
	}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, err := chart.Package(dirs[0], t.TempDir())
			require.NoError(t, err)
			for range 5 {
				again, err := chart.Package(dirs[1], t.TempDir())
				require.NoError(t, err)
				require.Equal(t, first.Digest, again.Digest)
			}
			require.Equal(t, first.Name+"-"+first.Version+".tgz", filepath.Base(first.Path))
			entries(t, first.Path)
			directory, err := chart.Load(dirs[0])
			require.NoError(t, err)
			archive, err := chart.Load(first.Path)
			require.NoError(t, err)
			require.Equal(t, directory.Info().Digest, archive.Info().Digest)
			require.Equal(t, first.Digest, archive.Info().Archive)
			require.Empty(t, directory.Info().Archive)
		})
	}
}

// entries checks what the bytes of an archive depend on beside its files: Chart.yaml comes first,
// then the names in order, all of 1980.
func entries(t *testing.T, archive string) {
	t.Helper()
	file, err := os.Open(archive)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	unzipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	require.True(t, unzipped.ModTime.IsZero())
	reader := tar.NewReader(unzipped)
	var names []string
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.Equal(t, time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), header.ModTime.UTC(), header.Name)
		names = append(names, header.Name)
	}
	require.True(t, strings.HasSuffix(names[0], "/Chart.yaml") && strings.Count(names[0], "/") == 1, names[0])
	require.True(t, slices.IsSorted(names[1:]), "%v", names)
}

// TestDependencies: one that is missing is refused, one that values switch off is not rendered,
// and no rendering changes the next.
func TestDependencies(t *testing.T) {
	t.Parallel()
	files := umbrella()
	c, err := chart.Load(write(t, files))
	require.NoError(t, err)
	for range 2 {
		for name, want := range map[string]int{"true": 4, "false": 3} {
			values, err := chart.ReadOverrides(nil, []string{"a.on=" + name})
			require.NoError(t, err)
			rendered, err := c.Render(chart.Rendering{Release: "x", Namespace: "x"}, values)
			require.NoError(t, err)
			require.Len(t, rendered, want)
		}
	}
	delete(files, "charts/b/Chart.yaml")
	delete(files, "charts/b/templates/x.yaml")
	_, err = chart.Load(write(t, files))
	require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
	for _, part := range []string{"dependencies are missing", "directory: b", "helm dependency build"} {
		require.ErrorContains(t, err, part)
	}
	_, err = chart.Load(write(t, map[string]string{"Chart.yaml": "apiVersion: v2\nname: x\nversion: 1.0.0\ntype: " +
		"library\n"}))
	require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "library")
}

// TestRemoteSchema: a chart whose schema leads to another host renders without it, still has its
// own part of the schema, and is packaged as it is.
func TestRemoteSchema(t *testing.T) {
	t.Parallel()
	asked := host(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("rendering used the network") }))
	schema := `{"properties": {"probe": {"$ref": "http://` + asked +
		`/k8s.json#/definitions/Probe"}, "port": {"$ref": "#/definitions/port"}},
		"definitions": {"port": {"type": "integer", "maximum": 65535}}}`
	files := umbrella()
	files["values.schema.json"] = schema
	dir := write(t, files)
	c, err := chart.Load(dir)
	require.NoError(t, err)
	for assignment, want := range map[string]bool{
		"probe.path=/x": true, "port=1": true, "port=70000": false,
		"port=x": false,
	} {
		values, err := chart.ReadOverrides(nil, []string{assignment})
		require.NoError(t, err)
		_, err = c.Render(chart.Rendering{Release: "x", Namespace: "x"}, values)
		require.Equal(t, want, err == nil, "%s: %v", assignment, err)
	}
	archive, err := chart.Package(dir, t.TempDir())
	require.NoError(t, err)
	packed, err := chart.Load(archive.Path)
	require.NoError(t, err)
	require.Equal(t, c.Info().Digest, packed.Info().Digest)
}

// TestKnows asks for keys of the chart's own values, null and empty ones too.
func TestKnows(t *testing.T) {
	t.Parallel()
	c, err := chart.Load(openbao)
	require.NoError(t, err)
	for path, want := range map[string]bool{
		"image": true, "image.tag": true, "serviceActive.nodePort": true, "image.tag.x": false, "moon": false,
		"image.moon": false, "": false,
	} {
		require.Equal(t, want, c.Knows(path), path)
	}
}

// key makes a PGP key in a file and returns it with a keyring of its public part.
func key(t *testing.T, armoured bool, passphrase string) (secret, public string) {
	t.Helper()
	config := &packet.Config{DefaultHash: crypto.SHA256, Algorithm: packet.PubKeyAlgoEdDSA}
	entity, err := openpgp.NewEntity("Release", "", "release@example.org", config)
	require.NoError(t, err)
	var ring, out bytes.Buffer
	require.NoError(t, entity.Serialize(&ring))
	if passphrase != "" {
		require.NoError(t, entity.EncryptPrivateKeys([]byte(passphrase), config))
	}
	var w io.WriteCloser = struct {
		io.Writer
		io.Closer
	}{&out, io.NopCloser(nil)}
	if armoured {
		w, err = armor.Encode(&out, openpgp.PrivateKeyType, nil)
		require.NoError(t, err)
	}
	require.NoError(t, entity.SerializePrivateWithoutSigning(w, config))
	require.NoError(t, w.Close())
	dir := t.TempDir()
	secret, public = filepath.Join(dir, "secret"), filepath.Join(dir, "public")
	require.NoError(t, os.WriteFile(secret, out.Bytes(), 0o600))
	require.NoError(t, os.WriteFile(public, ring.Bytes(), 0o600))
	return secret, public
}

// TestSign has Helm verify what was signed, and refuse the archive when a byte of it changes.
func TestSign(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		armoured   bool
		passphrase string
	}{"binary": {}, "armoured": {armoured: true}, "passphrase": {passphrase: "open sesame"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive, err := chart.Package(openbao, t.TempDir())
			require.NoError(t, err)
			secret, public := key(t, tc.armoured, tc.passphrase)
			k, err := chart.ReadKey(secret, func() ([]byte, error) { return []byte(tc.passphrase + "\n"), nil })
			require.NoError(t, err)
			prov, err := k.Sign(archive.Path)
			require.NoError(t, err)
			require.Equal(t, archive.Path+".prov", prov)
			verified, err := downloader.VerifyChart(archive.Path, public)
			require.NoError(t, err)
			require.Equal(t, archive.Digest, verified.FileHash)
			data, err := os.ReadFile(archive.Path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(archive.Path, append(data, 0), 0o600))
			_, err = downloader.VerifyChart(archive.Path, public)
			require.ErrorContains(t, err, "sha256 sum does not match")
		})
	}
}

func TestReadKeyRefuses(t *testing.T) {
	t.Parallel()
	locked, public := key(t, false, "open sesame")
	text := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(text, []byte("-----BEGIN NOTHING"), 0o600))
	for file, want := range map[string]string{
		"/nowhere": "no such file", public: "secret part", text: "not a PGP key",
		locked: "cannot be unlocked",
	} {
		_, err := chart.ReadKey(file, func() ([]byte, error) { return []byte("hunter2"), nil })
		require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, want)
		require.False(t, strings.Contains(err.Error(), "hunter2"))
	}
}

// TestPush: a version that is out stays as it is.
func TestPush(t *testing.T) {
	t.Parallel()
	registry := "oci://" + host(t, newRegistry()) + "/charts"
	archive, err := chart.Package(openbao, t.TempDir())
	require.NoError(t, err)
	target, err := chart.NewTarget(registry+"/", archive.Path, archive)
	require.NoError(t, err)
	require.Equal(t, registry+"/openbao:"+archive.Version, target.String())
	there, err := target.Pushed(t.Context())
	require.NoError(t, err)
	require.False(t, there)
	first, err := target.Push(t.Context(), time.Unix(1, 0))
	require.NoError(t, err)
	again, err := target.Push(t.Context(), time.Unix(1, 0))
	require.NoError(t, err)
	require.Equal(t, first, again, "pushing is repeatable")
	there, err = target.Pushed(t.Context())
	require.NoError(t, err)
	require.True(t, there)

	other := filepath.Join(t.TempDir(), "openbao")
	require.NoError(t, os.CopyFS(other, os.DirFS(openbao)))
	require.NoError(t, os.WriteFile(filepath.Join(other, "LICENSE"), []byte("other"), 0o600))
	changed, err := chart.Package(other, t.TempDir())
	require.NoError(t, err)
	target, err = chart.NewTarget(registry, changed.Path, changed)
	require.NoError(t, err)
	_, err = target.Pushed(t.Context())
	require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
	for _, part := range []string{"is released already", archive.Digest, changed.Digest, "raise version"} {
		require.ErrorContains(t, err, part)
	}
	for _, bad := range []string{"https://a.example", "a.example/charts", "oci://u:hunter2@a.example/charts", "oci://"} {
		_, err := chart.NewTarget(bad, archive.Path, archive)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), "%s: %v", bad, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
	nobody, err := chart.NewTarget("oci://127.0.0.1:1/charts", archive.Path, archive)
	require.NoError(t, err)
	_, err = nobody.Pushed(t.Context())
	require.Equal(t, exit.Environment, exit.CodeOf(err), "%v", err)
}
