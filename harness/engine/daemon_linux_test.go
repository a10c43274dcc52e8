package engine

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/engine/ociruntime"
)

func TestDaemonConfig(t *testing.T) {
	t.Parallel()
	h := home{data: t.TempDir()}
	data, err := h.daemonConfig()
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
	// The daemon outlives the program that started it, so it runs a copy.
	path := config.Runtimes["steamer"].Path
	require.Equal(t, h.data, filepath.Dir(path))
	self, err := os.Executable()
	require.NoError(t, err)
	want, err := os.ReadFile(self)
	require.NoError(t, err)
	copied, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, copied), "the runtime is this program")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o755), info.Mode().Perm())
	left, err := os.ReadDir(h.data)
	require.NoError(t, err)
	require.Len(t, left, 1)
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
	p, err := homeOf(t.TempDir())
	require.NoError(t, err)
	require.False(t, p.owns(os.Getpid()), "a recycled process id is left alone")
	daemon := child(t, "sh", "-c", "sleep 300; :", "dockerd", "--pidfile", p.pidFile())
	// The kernel answers Start before it has written the new program's arguments: until then they
	// read as empty.
	require.Eventually(t, func() bool { return p.owns(daemon.Process.Pid) }, 10*time.Second, time.Millisecond)
	require.False(t, p.owns(0))
}
