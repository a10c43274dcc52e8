package engine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

func TestStringAndEnviron(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		engine  Engine
		says    string
		environ []string
	}{
		"default": {Engine{Binary: "docker", Version: "28.0.1"}, "docker 28.0.1", nil},
		"private": {
			Engine{Binary: "docker", Version: "20.10.24", Host: "unix:///x", Private: true},
			"docker 20.10.24 (private)",
			[]string{"DOCKER_HOST=unix:///x"},
		},
		"podman": {Engine{Binary: "podman", Version: "4.3.1"}, "podman 4.3.1", nil},
		"silent": {Engine{Binary: "docker"}, "docker", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.says, test.engine.String())
			require.Equal(t, test.environ, test.engine.Environ())
			environ := test.engine.Command(t.Context(), "ps").Env
			require.Subset(t, environ, test.environ)
		})
	}
}

// client makes the named engine clients the only programs on the PATH: the machine's own where it
// has one, else a process that fails as docker does when its server is away. No server is
// imitated.
func client(t *testing.T, names ...string) {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"Cannot connect to the Docker daemon at ${DOCKER_HOST:-the default}\" >&2\nexit 1\n"
	for _, name := range names {
		if own, err := exec.LookPath(name); err == nil {
			require.NoError(t, os.Symlink(own, filepath.Join(dir, name)))
			continue
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755))
	}
	t.Setenv("PATH", dir)
}

func TestChosenHostThatDoesNotAnswer(t *testing.T) {
	host := "unix://" + filepath.Join(t.TempDir(), "docker.sock")
	client(t, "docker", "podman")
	t.Setenv("DOCKER_HOST", host)
	data := filepath.Join(t.TempDir(), "data")
	_, err := Running(t.Context(), Options{DataDir: data})
	require.ErrorContains(t, err, "Cannot connect to the Docker daemon at "+host)
	require.NotContains(t, err.Error(), "private", "no other engine stands in for the one that was asked for")
	require.NotContains(t, err.Error(), "podman")

	_, err = Wanted(t.Context(), Options{DataDir: data})
	require.Equal(t, exit.Environment, exit.CodeOf(err))
	require.ErrorContains(t, err, "DOCKER_HOST="+host)
	require.ErrorContains(t, err, "hint: start that engine, or unset DOCKER_HOST")
	require.NoDirExists(t, data, "no private engine is started instead")
}

func TestCandidates(t *testing.T) {
	for name, test := range map[string]struct {
		host string
		want []string
	}{
		"nothing chosen": {"", []string{"docker", "podman"}},
		"chosen":         {"unix:///run/user/1000/docker.sock", []string{"docker unix:///run/user/1000/docker.sock"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DOCKER_HOST", test.host)
			var got []string
			for _, e := range candidates(Options{}) {
				got = append(got, strings.TrimSpace(e.Binary+" "+e.Host))
			}
			require.Equal(t, test.want, got)
		})
	}
}

func TestRunReportsTheClientsWords(t *testing.T) {
	client(t, "docker")
	_, err := (&Engine{Binary: "docker", Host: "unix:///gone"}).Run(t.Context(), "ps", "--quiet")
	require.ErrorContains(t, err, "docker ps: exit status 1: Cannot connect to the Docker daemon at unix:///gone")
	require.NotContains(t, err.Error(), "--quiet", "arguments may hold what is not for logs")
}

// TestRunReportsTheRuntimesWords: Docker writes what its OCI runtime reports to standard output.
func TestRunReportsTheRuntimesWords(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho before\necho 'OCI runtime exec failed: no such file'\nexit 126\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	_, err := (&Engine{Binary: "docker"}).Run(t.Context(), "exec", "node", "true")
	require.EqualError(t, err, "docker exec: exit status 126: OCI runtime exec failed: no such file")
}

func TestLookPathFindsTheAdministratorsPrograms(t *testing.T) {
	expected, err := exec.LookPath("/usr/sbin/ldconfig") // every Debian and Ubuntu has it there
	require.NoError(t, err)
	t.Setenv("PATH", t.TempDir())
	found, err := lookPath("ldconfig")
	require.NoError(t, err)
	require.Contains(t, []string{expected, "/sbin/ldconfig"}, found)
	_, err = lookPath("no-such-program")
	require.ErrorIs(t, err, exec.ErrNotFound)
	require.True(t, strings.HasSuffix(administratorPath(), ":/usr/sbin:/sbin"))
}
