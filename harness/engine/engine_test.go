package engine

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/engine/ociruntime"
	"gitlab.com/steamer/steamer/harness/exit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStringAndEnviron(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		engine  Engine
		says    string
		environ []string
	}{
		"default": {Engine{Binary: "docker", Version: "28.0.1"}, "docker 28.0.1", nil},
		"private": {Engine{Binary: "docker", Version: "20.10.24", Host: "unix:///x", Private: true}, "docker 20.10.24 (private)", []string{"DOCKER_HOST=unix:///x"}},
		"podman":  {Engine{Binary: "podman", Version: "4.3.1"}, "podman 4.3.1", nil},
		"silent":  {Engine{Binary: "docker"}, "docker", nil},
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

// client makes the named engine clients the only programs on the PATH: the machine's own where it has one, else a
// process that fails as docker does when its server is away. No server is imitated.
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
	_, err := Running(t.Context())
	require.ErrorContains(t, err, "Cannot connect to the Docker daemon at "+host)
	require.NotContains(t, err.Error(), "private", "no other engine stands in for the one that was asked for")
	require.NotContains(t, err.Error(), "podman")

	data := filepath.Join(t.TempDir(), "data")
	_, err = Detect(t.Context(), Options{DataDir: data})
	require.Equal(t, exit.Environment, exit.CodeOf(err))
	require.ErrorContains(t, err, "DOCKER_HOST="+host)
	require.ErrorContains(t, err, "mend: start that engine, or unset DOCKER_HOST")
	require.NoDirExists(t, data, "no private engine is started instead")
}

func TestCandidates(t *testing.T) {
	private := "docker " + socketURL() + " private"
	for name, test := range map[string]struct {
		host string
		want []string
	}{
		"nothing chosen":         {"", []string{"docker", private, "podman"}},
		"chosen":                 {"tcp://127.0.0.1:2375", []string{"docker tcp://127.0.0.1:2375"}},
		"set for kind by itself": {socketURL(), []string{private}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DOCKER_HOST", test.host)
			var got []string
			for _, e := range candidates() {
				line := strings.TrimSpace(e.Binary + " " + e.Host)
				if e.Private {
					require.NotNil(t, e.private)
					line += " private"
				}
				got = append(got, line)
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

func TestDaemonConfig(t *testing.T) {
	t.Parallel()
	data, err := daemonConfig()
	require.NoError(t, err)
	var config struct {
		Default  string `json:"default-runtime"`
		Runtimes map[string]struct {
			Path string   `json:"path"`
			Args []string `json:"runtimeArgs"`
		} `json:"runtimes"`
	}
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&config))
	var nofile unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &nofile))
	if len(ociruntime.Missing()) == 0 && nofile.Max >= dockerdNoFile {
		require.Equal(t, "{}", string(data), "stock runc serves an unrestricted host")
		return
	}
	require.Equal(t, "steamer", config.Default)
	self, err := os.Executable()
	require.NoError(t, err)
	require.Equal(t, self, config.Runtimes["steamer"].Path)
	require.Equal(t, []string{ociruntime.Command}, config.Runtimes["steamer"].Args)
}

func TestTail(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "log")
	for content, want := range map[string]string{"": "", "one\n": "one", "1\n2\n3\n": "2\n3", "1\n2": "1\n2"} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		require.Equal(t, want, tail(file, 2))
	}
	require.Contains(t, tail(file+".gone", 2), "no such file")
}

// child starts a real process and reaps it, as start does with the daemon.
func child(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	require.NoError(t, cmd.Start())
	reaped := make(chan struct{})
	go func() { defer close(reaped); _ = cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-reaped })
	return cmd
}

func TestTerminate(t *testing.T) {
	t.Parallel()
	cmd := child(t, "sleep", "300")
	require.NoError(t, terminate(t.Context(), cmd.Process.Pid))
	require.ErrorIs(t, unix.Kill(cmd.Process.Pid, 0), unix.ESRCH)
	require.NoError(t, terminate(t.Context(), cmd.Process.Pid), "one that is gone is no error")
}

func TestOwnsOnlyTheDaemon(t *testing.T) {
	t.Parallel()
	p := &private{}
	require.False(t, p.owns(os.Getpid()), "a recycled process id is left alone")
	daemon := child(t, "sh", "-c", "sleep 300; :", "dockerd", "--pidfile", p.pidFile())
	// The kernel answers Start before it has written the new program's arguments: until then they read as empty.
	require.Eventually(t, func() bool { return p.owns(daemon.Process.Pid) }, 10*time.Second, time.Millisecond)
	require.False(t, p.owns(0))
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
