package cluster

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/kind/pkg/log"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestExpired(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	const gone = 1 << 30 // beyond the kernel's largest process ID
	self, err := processOf(os.Getpid())
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		owner Owner
		want  bool
	}{
		"its run is there":          {Owner{PID: os.Getpid(), Created: now, TTL: time.Hour}, false},
		"its very run is there":     {Owner{PID: os.Getpid(), Process: self, Created: now, TTL: time.Hour}, false},
		"another took its number":   {Owner{PID: os.Getpid(), Process: self + "0", Created: now, TTL: time.Hour}, true},
		"its run is gone":           {Owner{PID: gone, Created: now, TTL: time.Hour}, true},
		"kept":                      {Owner{PID: gone, Created: now, TTL: time.Hour, Keep: true}, false},
		"kept too long":             {Owner{PID: gone, Created: now.Add(-2 * time.Hour), TTL: time.Hour, Keep: true}, true},
		"there, but its time is up": {Owner{PID: os.Getpid(), Created: now.Add(-2 * time.Hour), TTL: time.Hour}, true},
	} {
		require.Equal(t, tc.want, tc.owner.Expired(now), name)
	}
}

// TestRegistry writes a mark, reads it back and forgets it, twice.
func TestRegistry(t *testing.T) {
	t.Parallel()
	r := registry{filepath.Join(t.TempDir(), "clusters")}
	want := Owner{Name: "a", Run: "r", PID: 7, Created: time.Now().UTC().Round(time.Second), TTL: time.Hour, HostPort: 1, Keep: true}
	require.NoError(t, r.write(want))
	got, err := r.read(r.mark("a"))
	require.NoError(t, err)
	require.Equal(t, want, got)
	names, err := Marked(r.dir)
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, names)
	require.NoError(t, r.forget("a"))
	_, err = r.read(r.mark("a"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, r.forget("a"))
}

const mapped = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n- role: control-plane\n" +
	"  extraPortMappings: [{containerPort: 30820, hostPort: 1}]\n- role: worker\n"

func kindFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kind.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// TestConfig: every node gets the owner mark and the images, the mapped port is the run's, and the CNI goes with the node image.
func TestConfig(t *testing.T) {
	t.Parallel()
	r := registry{"/marks"}
	config, err := r.config(Options{Name: "a", Config: kindFile(t, mapped), HostPort: 4711, ImageDir: "/images"})
	require.NoError(t, err)
	require.False(t, config.Networking.DisableDefaultCNI)
	require.Len(t, config.Nodes, 2)
	for _, node := range config.Nodes {
		require.Equal(t, []v1alpha4.Mount{
			{HostPath: "/marks/a.json", ContainerPath: ownerPath, Readonly: true}, {HostPath: "/images", ContainerPath: imagesPath, Readonly: true},
		}, node.ExtraMounts)
	}
	require.Equal(t, int32(4711), config.Nodes[0].ExtraPortMappings[0].HostPort)

	own, err := r.config(Options{Name: "a", Config: "../../kind-config.yaml", HostPort: 4711, Node: &images.Image{}})
	require.NoError(t, err, "the repository's own configuration")
	require.True(t, own.Networking.DisableDefaultCNI)
	require.Equal(t, "127.0.0.1", own.Nodes[0].ExtraPortMappings[0].ListenAddress)
	require.Equal(t, podRange, own.Networking.PodSubnet)

	for name, text := range map[string]string{
		"no mapping": "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n", "unknown field": mapped + "moon: 1\n", "no YAML": "\t",
		"another port": strings.ReplaceAll(mapped, "30820", "30821"),
	} {
		path := kindFile(t, text)
		_, err := r.config(Options{Name: "a", Config: path})
		require.Equal(t, exit.Invalid, exit.CodeOf(err), name)
		require.ErrorContains(t, err, path)
	}
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"steamer": true, "a": true, "a-b.c1": true, strings.Repeat("a", MaxNameLength): true,
		"": false, strings.Repeat("a", MaxNameLength+1): false, "A": false, "a_b": false, "-a": false, "a-": false, ".": false, "..": false,
		"a/b": false, "a b": false, "a\n": false, "ä": false,
	} {
		err := checkName(name)
		require.Equal(t, good, err == nil, "%q: %v", name, err)
		if !good {
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
		}
	}
}

// TestCheckInput: a port that is taken is refused, unless the marks know the cluster that may hold it.
func TestCheckInput(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	opts := Options{Name: "a", Config: kindFile(t, mapped), HostPort: listener.Addr().(*net.TCPAddr).Port}
	dir := t.TempDir()
	err = CheckInput(dir, opts)
	require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "in use")
	require.NoError(t, registry{dir}.write(Owner{Name: "a"}))
	require.NoError(t, CheckInput(dir, opts))
	require.NoError(t, listener.Close())
	require.NoError(t, CheckInput(t.TempDir(), opts))
}

func TestConflist(t *testing.T) {
	t.Parallel()
	text, err := conflist("10.244.3.0/24")
	require.NoError(t, err)
	var config struct {
		CNIVersion string
		Plugins    []struct {
			Type string
			IPAM struct{ Ranges [][]struct{ Subnet string } }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &config))
	require.Equal(t, "1.0.0", config.CNIVersion)
	require.Len(t, config.Plugins, 2)
	require.Equal(t, "ptp", config.Plugins[0].Type)
	require.Equal(t, "10.244.3.0/24", config.Plugins[0].IPAM.Ranges[0][0].Subnet)
	require.Equal(t, "portmap", config.Plugins[1].Type)
}

func TestLogger(t *testing.T) {
	t.Parallel()
	var lines []string
	l := newLogger(func(line string) { lines = append(lines, line) })
	l.V(0).Infof(" made %d \n", 3)
	l.V(1).Info("debug")
	l.Warn("hot")
	l.Errorf("%s", "broken")
	l.V(0).Info("  \n")
	require.Equal(t, []string{"made 3", "warning: hot", "error: broken"}, lines)
	require.True(t, l.V(0).Enabled())
	require.False(t, l.V(1).Enabled())
	require.Equal(t, log.NoopLogger{}, newLogger(nil))
}
