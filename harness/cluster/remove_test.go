package cluster

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestThaw: what is frozen below a container that is removed wakes up, under either driver;
// nothing else is touched.
func TestThaw(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	group := func(name, state string) string {
		file := filepath.Join(root, name, "freezer.state")
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(state+"\n"), 0o600))
		return file
	}
	for file, want := range map[string]string{
		group("docker/aaa", "THAWED"):                                          "THAWED\n",
		group("docker/aaa/kubelet.slice/pod/cri-containerd-1.scope", "FROZEN"): "THAWED",
		group("system.slice/docker-bbb.scope/kubelet.slice/pod/x", "FREEZING"): "THAWED",
		group("docker/ccc/kubelet.slice/pod/cri-containerd-2.scope", "FROZEN"): "FROZEN\n",
		group("user.slice/of-somebody", "FROZEN"):                              "FROZEN\n",
	} {
		require.NoError(t, thaw(root, []string{"aaa", "bbb", ""}))
		state, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, want, string(state), file)
	}
	require.NoError(t, thaw(filepath.Join(root, "no-such-controller"), []string{"aaa"}))
}
