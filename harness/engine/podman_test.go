package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

// The clients of these tests are made up: they answer the queries by which Steamer tells engines
// apart, as the real ones do.
const (
	podmanClient = `case "$*" in
  *'{{.Version.Version}}'*) echo '5.4.2 v2' ;;
  *) echo "podman $*: unknown field" >&2; exit 125 ;;
esac`
	podmanDocker = `case "$*" in
  *'{{.ServerVersion}}'*) echo "can't evaluate field ServerVersion in type *define.Info" >&2; exit 125 ;;
  *) exit 125 ;;
esac`
	dockerToPodman = `case "$*" in
  *'{{.ServerVersion}}'*) echo '5.4.2 2' ;;
  *Components*) echo '[{"Name":"Podman Engine","Version":"5.4.2"},{"Name":"Conmon"}]' ;;
  *) exit 1 ;;
esac`
	dockerAway = "echo 'Cannot connect to the Docker daemon' >&2; exit 1"
)

// TestPodman: Podman is used by its own client only, whatever stands for Docker, and a DOCKER_HOST
// that is Podman's is named as what it is.
func TestPodman(t *testing.T) {
	const socket, other = "unix:///run/user/1000/podman/podman.sock", "unix:///run/engine.sock"
	const unset = "hint: DOCKER_HOST is Podman's: unset it, and Steamer uses podman"
	for name, test := range map[string]struct {
		clients map[string]string
		host    string
		want    string // the engine, or else
		hint    string // end of the error
	}{
		"podman alone": {map[string]string{"podman": podmanClient}, "", "podman 5.4.2", ""},
		"podman-docker": {
			map[string]string{"podman": podmanClient, "docker": podmanDocker},
			"",
			"podman 5.4.2", "",
		},
		"Docker's client without server": {
			map[string]string{"podman": podmanClient, "docker": dockerAway},
			"",
			"podman 5.4.2", "",
		},
		"a Docker context of Podman's": {
			map[string]string{"podman": podmanClient, "docker": dockerToPodman},
			"",
			"podman 5.4.2", "",
		},
		"DOCKER_HOST without a client": {map[string]string{"podman": podmanClient}, socket, "", unset},
		"DOCKER_HOST by podman-docker": {
			map[string]string{"podman": podmanClient, "docker": podmanDocker},
			socket, "",
			unset,
		},
		"DOCKER_HOST by Docker's client": {
			map[string]string{"podman": podmanClient, "docker": dockerToPodman},
			other, "",
			unset,
		},
		"DOCKER_HOST that is Docker's": {
			map[string]string{"podman": podmanClient, "docker": dockerAway},
			other, "",
			"hint: start that engine, or unset DOCKER_HOST",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for client, script := range test.clients {
				require.NoError(t, os.WriteFile(filepath.Join(dir, client), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
			}
			t.Setenv("PATH", dir)
			t.Setenv("DOCKER_HOST", test.host)
			opts := Options{DataDir: filepath.Join(t.TempDir(), "data")}
			found, err := Running(t.Context(), opts)
			if test.want != "" {
				require.NoError(t, err)
				require.Equal(t, test.want, found.String())
				return
			}
			require.Error(t, err)
			_, err = Wanted(t.Context(), opts)
			require.Equal(t, exit.Environment, exit.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, test.hint)
		})
	}
}
