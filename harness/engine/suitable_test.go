package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

func TestRemoteEndpoints(t *testing.T) {
	t.Parallel()
	for endpoint, refused := range map[string]string{
		"": "", "unix:///var/run/docker.sock": "", "unix:///run/user/1000/docker.sock": "",
		"npipe:////./pipe/docker_engine": "", "fd://": "",
		"tcp://docker:2375":    "tcp://", // docker:dind as a CI service
		"tcp://127.0.0.1:2375": "tcp://", // a tunnel looks the same
		"ssh://me@build":       "ssh://", "https://docker.example": "https://", "http://docker.example": "http://",
		"\x7f": "cannot be read",
	} {
		err := refuseRemote("DOCKER_HOST="+endpoint, endpoint)
		if refused == "" {
			require.NoError(t, err, endpoint)
			continue
		}
		require.Equal(t, exit.Invalid, exit.CodeOf(err), endpoint)
		require.ErrorContains(t, err, refused)
		require.ErrorContains(t, err, "run Steamer on the machine of the daemon")
	}
}

// TestChosenHostElsewhere: an address of another machine is refused before it is asked anything,
// and by everything that looks for an engine.
func TestChosenHostElsewhere(t *testing.T) {
	client(t, "docker", "podman")
	for _, endpoint := range []string{"tcp://docker:2376", "ssh://me@build"} {
		t.Setenv("DOCKER_HOST", endpoint)
		opts := Options{DataDir: filepath.Join(t.TempDir(), "data")}
		_, running := Running(t.Context(), opts)
		_, detected := Detect(t.Context(), opts)
		_, wanted := Wanted(t.Context(), opts)
		for _, err := range []error{running, detected, wanted} {
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
			require.ErrorContains(t, err, "DOCKER_HOST="+endpoint)
		}
		require.NoDirExists(t, opts.DataDir)
	}
}

// TestPrivateSocketAsChoice: the socket of this cache's own private engine is no other choice, and
// that of another cache's cannot be used from here.
func TestPrivateSocketAsChoice(t *testing.T) {
	client(t, "docker", "podman")
	opts := Options{DataDir: filepath.Join(t.TempDir(), "data")}
	if own := socketOf(opts); own != "" {
		t.Setenv("DOCKER_HOST", own)
		require.Empty(t, candidates(opts))
		_, err := Wanted(t.Context(), opts)
		require.NotContains(t, fmt.Sprint(err), "DOCKER_HOST")
	}
	t.Setenv("DOCKER_HOST", "unix://"+runRoot+"/engine-0123456789ab/docker.sock")
	_, err := Running(t.Context(), opts)
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	require.ErrorContains(t, err, "another cache")
}

func TestContextEndpoint(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]string{
		`[{"Name":"default","Endpoints":{"docker":{"Host":"unix:///var/run/docker.sock","SkipTLSVerify":false}}}]`: "unix:///var/run/docker.sock",
		`[{"Name":"build","Endpoints":{"docker":{"Host":"ssh://me@build"}}}]`:                                      "ssh://me@build",
		`[{"Name":"k","Endpoints":{}}]`: "",
	} {
		endpoint, err := contextEndpoint(output)
		require.NoError(t, err, output)
		require.Equal(t, want, endpoint)
	}
	for _, output := range []string{"", "[]", "{}", `[{},{}]`} {
		_, err := contextEndpoint(output)
		require.Error(t, err, output)
	}
}

func TestElsewhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	isDir := func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && info.IsDir()
	}
	here := host{os: "linux", kernel: "6.1.0", isDir: isDir, peer: 1}
	in := func(change func(*host)) host { h := here; change(&h); return h }
	for name, test := range map[string]struct {
		view view
		host host
		why  string
	}{
		"beside this process":            {view{System: "Debian", Kernel: "6.1.0", Root: dir}, here, ""},
		"unknown peer":                   {view{Kernel: "6.1.0", Root: dir}, in(func(h *host) { h.peer = -1 }), ""},
		"an old daemon that says little": {view{}, here, ""},
		"podman":                         {view{Kernel: "6.1.0", Root: dir}, here, ""},
		"Docker Desktop on Linux": {
			view{System: "Docker Desktop", Kernel: "6.6.0-linuxkit", Root: "/nowhere"},
			in(func(h *host) { h.peer = 0 }), "",
		},
		"a Mac": {
			view{Kernel: "6.6.0-linuxkit", Root: "/nowhere"},
			in(func(h *host) { h.os = "darwin" }), "",
		},
		"socket mounted into a container": {
			view{Kernel: "6.1.0", Root: dir},
			in(func(h *host) { h.peer = 0 }),
			"outside this container",
		},
		"the same, with the host's PIDs": {view{Kernel: "6.1.0", Root: filepath.Join(dir, "gone")}, here, "other files"},
		"its data is a file here":        {view{Kernel: "6.1.0", Root: file}, here, "other files"},
		"a socket that is a tunnel":      {view{Kernel: "5.10.0", Root: dir}, here, "another kernel (5.10.0, here 6.1.0)"},
		"podman-remote":                  {view{Kernel: "6.1.0", Root: dir, Remote: true}, here, "elsewhere"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.why == "" {
				require.Empty(t, test.view.elsewhere(test.host))
				return
			}
			require.Contains(t, test.view.elsewhere(test.host), test.why)
		})
	}
}
