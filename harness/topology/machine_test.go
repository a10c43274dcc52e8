package topology

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/engine"
)

// TestArchive: PostgreSQL's user alone can read the files, and what says that they are there comes
// last.
func TestArchive(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{"tls.key": []byte("key"), "password": []byte("secret"), "empty": nil}
	data, err := archive(files, "complete")
	require.NoError(t, err)
	files["complete"] = []byte("yes\n")
	r := tar.NewReader(bytes.NewReader(data))
	var names []string
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.Equal(t, postgresUID, header.Uid)
		require.Equal(t, postgresUID, header.Gid)
		require.Equal(t, byte(tar.TypeReg), header.Typeflag)
		require.Equal(t, int64(0o600), header.Mode)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, string(files[header.Name]), string(content))
		names = append(names, header.Name)
	}
	require.Equal(t, []string{"empty", "password", "tls.key", "complete"}, names)
}

// fakeEngine is a client that keeps what it is told: its arguments, one call a line, and apart
// from them its standard input.
const fakeEngine = `#!/bin/sh
echo "$@" >> "$0.calls"
case "$1" in
image) echo '["docker-entrypoint.sh"]' ;;
exec) cat >> "$0.input" ;;
esac
`

// TestMachineSecrets: what is secret reaches the machine by standard input after its start, into
// memory, at each start; no argument holds it, and nothing is copied into the container's layer.
func TestMachineSecrets(t *testing.T) {
	t.Parallel()
	client := filepath.Join(t.TempDir(), "docker")
	require.NoError(t, os.WriteFile(client, []byte(fakeEngine), 0o700))
	files, err := archive(map[string][]byte{"password": []byte("canary-of-machine"), "tls.key": []byte("canary-of-tls")},
		"complete")
	require.NoError(t, err)
	e := &Environment{
		Spec:    Spec{Topology: CloudNativeHybrid, Run: "r", Images: Images{PostgreSQL: "pg:1"}},
		Cluster: &cluster.Cluster{Name: "c"},
		Engine:  &engine.Engine{Binary: client}, files: files,
	}
	require.NoError(t, e.runMachine(t.Context()))
	require.NoError(t, e.fillMachine(t.Context()))
	raw, err := os.ReadFile(client + ".calls")
	require.NoError(t, err)
	calls := strings.Split(strings.TrimSpace(string(raw)), "\n")
	require.Len(t, calls, 4)
	require.Contains(t, calls[1], "--tmpfs "+machineFiles+":")
	require.Contains(t, calls[1], "docker-entrypoint.sh postgres -c ssl=on", "the image's own entrypoint runs")
	for _, call := range calls {
		require.NotContains(t, call, "canary")
		require.False(t, strings.HasPrefix(call, "cp "), "a copy would lie in the engine's storage")
	}
	require.Equal(t, calls[2], calls[3])
	require.Contains(t, calls[2], "-C "+machineFiles)
	input, err := os.ReadFile(client + ".input")
	require.NoError(t, err)
	require.Equal(t, 2, bytes.Count(input, []byte("canary-of-machine")))
}

// TestAwaitFiles: the container's command waits until all of its files are there, and only then is
// the server.
func TestAwaitFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := strings.ReplaceAll(awaitFiles, machineFiles, dir)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script, "sh", "cat", filepath.Join(dir, "password"))
	var out bytes.Buffer
	cmd.Stdout = &out
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "password"), []byte("here"), 0o600))
	select {
	case err := <-ended:
		require.Fail(t, "it did not wait for the last file", "%v", err)
	case <-time.After(300 * time.Millisecond):
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "complete"), []byte("yes\n"), 0o600))
	require.NoError(t, <-ended)
	require.Equal(t, "here", out.String())
}
