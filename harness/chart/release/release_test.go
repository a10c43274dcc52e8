package release_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/chart/release"
	"gitlab.com/steamer/steamer/harness/exit"
)

// repository is a git repository of its own with charts/openbao in it.
type repository struct {
	t    *testing.T
	root string
}

func newRepository(t *testing.T) repository {
	t.Helper()
	r := repository{t, t.TempDir()}
	r.git("init", "--quiet", "--initial-branch=main")
	require.NoError(t, os.CopyFS(filepath.Join(r.root, "charts/openbao"), os.DirFS("../../../charts/openbao")))
	r.write(".gitignore", "/dist/\n*.orig\n")
	r.commit("Add the chart")
	return r
}

func (r repository) git(args ...string) string {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "git", append([]string{"-C", r.root}, args...)...)
	who := []string{
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a",
		"GIT_COMMITTER_EMAIL=a@example.org",
	}
	when := []string{
		"GIT_AUTHOR_DATE=2026-11-01T12:00:00Z", "GIT_COMMITTER_DATE=2026-11-01T12:00:00Z",
		"GIT_CONFIG_GLOBAL=/dev/null",
	}
	cmd.Env = append(append(os.Environ(), who...), when...)
	out, err := cmd.CombinedOutput()
	require.NoError(r.t, err, "%s", out)
	return strings.TrimSpace(string(out))
}

func (r repository) write(name, text string) {
	r.t.Helper()
	file := filepath.Join(r.root, name)
	require.NoError(r.t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(r.t, os.WriteFile(file, []byte(text), 0o600))
}

func (r repository) commit(message string) {
	r.t.Helper()
	r.git("add", "--all")
	r.git("commit", "--quiet", "--message", message)
}

// make releases charts/openbao and returns what was said, and the files in the output directory.
func (r repository) make(change func(*release.Options)) (said string, files map[string]string, err error) {
	r.t.Helper()
	var log strings.Builder
	o := release.Options{
		Root: r.root, Charts: []string{"charts/openbao"}, Output: filepath.Join(r.root, "dist"), Steamer: "v1",
		Log: func(line string) { log.WriteString(line + "\n") },
	}
	if change != nil {
		change(&o)
	}
	err = release.Make(r.t.Context(), o)
	files = map[string]string{}
	entries, _ := os.ReadDir(o.Output)
	for _, entry := range entries {
		data, readErr := os.ReadFile(filepath.Join(o.Output, entry.Name()))
		require.NoError(r.t, readErr)
		files[entry.Name()] = string(data)
	}
	return log.String(), files, err
}

func newRegistry(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return "oci://" + strings.TrimPrefix(server.URL, "http://") + "/charts"
}

// TestMake looks at every file of a release, and makes the same one from a clone.
func TestMake(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.write("charts/openbao/templates/NOTES.txt.orig", "ignored by git, and no part of a release")
	said, files, err := r.make(nil)
	require.NoError(t, err)
	require.Contains(t, said, "pushed nothing: no registry is named")
	source, err := chart.Load("../../../charts/openbao")
	require.NoError(t, err)
	version := source.Info().Version
	archive := "openbao-" + version + ".tgz"
	require.Len(t, files, 4)
	packed, err := chart.Load(filepath.Join(r.root, "dist", archive))
	require.NoError(t, err)
	require.Equal(t, source.Info().Digest, packed.Info().Digest)

	var sums bytes.Buffer
	for _, name := range []string{"openbao-" + version + ".changes.md", archive, release.ProvenanceFile} {
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256([]byte(files[name])), name)
	}
	require.Equal(t, sums.String(), files[release.SumsFile])
	var statement map[string]any
	require.NoError(t, json.Unmarshal([]byte(files[release.ProvenanceFile]), &statement))
	require.Equal(t, "https://in-toto.io/Statement/v1", statement["_type"])
	require.Equal(t, "https://slsa.dev/provenance/v1", statement["predicateType"])
	digest := map[string]any{"sha256": fmt.Sprintf("%x", sha256.Sum256([]byte(files[archive])))}
	require.Equal(t, []any{map[string]any{"name": archive, "digest": digest}}, statement["subject"])
	require.Contains(t, files[release.ProvenanceFile], `"gitCommit": "`+r.git("rev-parse", "HEAD")+`"`)

	clone := repository{t, filepath.Join(t.TempDir(), "clone")}
	r.git("clone", "--quiet", r.root, clone.root)
	_, again, err := clone.make(nil)
	require.NoError(t, err)
	require.Equal(t, files, again, "the same commit makes the same bytes")
}

// TestChanges takes commits since the release before, and only those that touched the chart.
func TestChanges(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	changes := func(version string) string {
		_, files, err := r.make(nil)
		require.NoError(t, err)
		return files["openbao-"+version+".changes.md"]
	}
	bump := func(version string) {
		data, err := os.ReadFile(filepath.Join(r.root, "charts/openbao/Chart.yaml"))
		require.NoError(t, err)
		var lines []string
		for line := range strings.SplitSeq(string(data), "\n") {
			if strings.HasPrefix(line, "version: ") {
				line = "version: " + version
			}
			lines = append(lines, line)
		}
		r.write("charts/openbao/Chart.yaml", strings.Join(lines, "\n"))
		r.commit("Raise the chart to " + version)
	}
	bump("7.0.0")
	require.Contains(t, changes("7.0.0"), "in the whole history:\n\n- Raise the chart to 7.0.0 (")
	r.git("tag", "openbao-7.0.0")
	require.Contains(t, changes("7.0.0"), "- Add the chart (", "the release's own tag is not the one before")
	r.write("README.md", "x")
	r.commit("Write about something else")
	bump("7.1.0")
	text := changes("7.1.0")
	require.True(t, strings.HasPrefix(text, "# openbao 7.1.0\n"), text)
	require.Contains(t, text, "since openbao-7.0.0:\n\n- Raise the chart to 7.1.0 (")
	require.NotContains(t, text, "something else")
	require.NotContains(t, text, "7.0.0 (")
}

// TestPush: what is out stays as it is, and a release that would change it leaves no file behind.
func TestPush(t *testing.T) {
	t.Parallel()
	r, registry := newRepository(t), newRegistry(t)
	to := func(o *release.Options) { o.Registry = registry }
	dry := func(o *release.Options) { o.Registry, o.DryRun = registry, true }
	said, files, err := r.make(dry)
	require.NoError(t, err)
	require.Contains(t, said, "would push "+registry+"/openbao:")
	require.Contains(t, said, "would make ")
	require.Empty(t, files)
	said, first, err := r.make(to)
	require.NoError(t, err)
	require.Contains(t, said, "pulled it back and compared", "the dry run had pushed nothing")
	said, _, err = r.make(to)
	require.NoError(t, err)
	require.Contains(t, said, "is there already, with the same archive")

	source, err := chart.Load("../../../charts/openbao")
	require.NoError(t, err)
	info := source.Info()
	pulled, err := chart.Fetcher{}.Load(t.Context(), chart.Source{Name: registry + "/openbao", Version: info.Version})
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(first["openbao-"+info.Version+".tgz"]))),
		pulled.Info().Archive)

	r.write("charts/openbao/README.md", "changed, without a new version")
	r.commit("Forget to raise the version")
	require.NoError(t, os.RemoveAll(filepath.Join(r.root, "dist")))
	for _, change := range []func(*release.Options){to, dry} {
		_, files, err = r.make(change)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, "is released already")
		require.Empty(t, files)
	}
}

// TestSigned: the signature is one of the files, and goes to the registry beside the archive.
func TestSigned(t *testing.T) {
	t.Parallel()
	entity, err := openpgp.NewEntity("Release", "", "release@example.org", nil)
	require.NoError(t, err)
	var secret bytes.Buffer
	require.NoError(t, entity.SerializePrivateWithoutSigning(&secret, nil))
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, secret.Bytes(), 0o600))
	key, err := chart.ReadKey(file, func() ([]byte, error) { return nil, errors.New("it has no passphrase") })
	require.NoError(t, err)
	r, registry := newRepository(t), newRegistry(t)
	_, files, err := r.make(func(o *release.Options) { o.Key, o.Registry = key, registry })
	require.NoError(t, err)
	source, err := chart.Load("../../../charts/openbao")
	require.NoError(t, err)
	prov := "openbao-" + source.Info().Version + ".tgz.prov"
	require.Contains(t, files[prov], "-----BEGIN PGP SIGNED MESSAGE-----")
	require.Contains(t, files[release.SumsFile], "  "+prov+"\n")
	ref, err := name.ParseReference(strings.TrimPrefix(registry, "oci://") + "/openbao:" + source.Info().Version)
	require.NoError(t, err)
	there, err := remote.Get(ref)
	require.NoError(t, err)
	require.Contains(t, string(there.Manifest), fmt.Sprintf("%x", sha256.Sum256([]byte(files[prov]))))
	require.Contains(t, string(there.Manifest), "2026-11-01T12:00:00Z", "the commit's time makes pushing repeatable")
}

func TestMakeRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before func(repository)
		change func(*release.Options)
		want   string
		code   exit.Code
	}{
		"changed file": {
			before: func(r repository) { r.write("charts/openbao/values.yaml", "a: 1") },
			want:   "M charts/openbao/values.yaml",
		},
		"new file":      {before: func(r repository) { r.write("charts/openbao/new", "x") }, want: "?? charts/openbao/new"},
		"elsewhere":     {before: func(r repository) { r.write("x", "x") }, want: "1 files differ from commit"},
		"no repository": {change: func(o *release.Options) { o.Root = os.TempDir() }, want: "not a git repository"},
		"no chart":      {change: func(o *release.Options) { o.Charts = []string{"charts/moon"} }, want: "charts/moon"},
		"outside": {
			change: func(o *release.Options) { o.Charts = []string{"../charts/openbao"} },
			want:   "charts/openbao",
		},
		"twice": {
			change: func(o *release.Options) { o.Charts = append(o.Charts, "./charts/openbao") },
			want:   "name each chart once",
		},
		"no registry": {change: func(o *release.Options) { o.Registry = "https://registry.example" }, want: "oci://"},
		"nobody there": {
			change: func(o *release.Options) { o.Registry = "oci://127.0.0.1:1/charts" }, want: "refused",
			code: exit.Environment,
		},
		"cannot be made": {
			change: func(o *release.Options) { o.Output = "/dev/null/dist" },
			want:   "--output-dir /dev/null/dist",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepository(t)
			if tc.before != nil {
				tc.before(r)
			}
			if tc.code == exit.Pass {
				tc.code = exit.Invalid
			}
			_, files, err := r.make(tc.change)
			require.Equal(t, tc.code, exit.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "hint: ")
			require.Empty(t, files)
		})
	}
}
