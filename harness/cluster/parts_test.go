package cluster

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/kind/pkg/log"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const mapped = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n- role: control-plane\n" +
	"  extraPortMappings: [{containerPort: 30820, hostPort: 1}]\n- role: worker\n"

func kindFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kind.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// TestConfig: every node gets the owner mark and the images, the mapped port is the run's, and the
// CNI goes with the node image.
func TestConfig(t *testing.T) {
	t.Parallel()
	config, err := Options{Name: "a", Config: kindFile(t, mapped), HostPort: 4711, ImageDir: "/images"}.config("/marks/a")
	require.NoError(t, err)
	require.False(t, config.Networking.DisableDefaultCNI)
	require.Len(t, config.Nodes, 2)
	for _, node := range config.Nodes {
		require.Equal(t, []v1alpha4.Mount{
			{HostPath: "/marks/a", ContainerPath: ownerPath, Readonly: true}, {
				HostPath: "/images", ContainerPath: imagesPath,
				Readonly: true,
			},
		}, node.ExtraMounts)
	}
	require.Equal(t, int32(4711), config.Nodes[0].ExtraPortMappings[0].HostPort)

	own, err := Options{Name: "a", Config: "../../kind-config.yaml", HostPort: 4711, Node: &images.Image{}}.config(
		"/marks/a")
	require.NoError(t, err, "the repository's own configuration")
	require.True(t, own.Networking.DisableDefaultCNI)
	require.Equal(t, "127.0.0.1", own.Nodes[0].ExtraPortMappings[0].ListenAddress)

	for name, text := range map[string]string{
		"no mapping": "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n", "unknown field": mapped + "moon: 1\n",
		"no YAML":              "\t",
		"IPv6":                 mapped + "networking: {ipFamily: ipv6}\n",
		"no pod range":         mapped + "networking: {podSubnet: moon}\n",
		"no service range":     mapped + "networking: {serviceSubnet: 10.96.0.0}\n",
		"pods by IPv6":         mapped + "networking: {podSubnet: \"fd00:10::/56\"}\n",
		"services of pods":     mapped + "networking: {podSubnet: 10.0.0.0/8}\n",
		"pods of services":     mapped + "networking: {serviceSubnet: 10.244.1.0/24}\n",
		"three control planes": mapped + "- role: control-plane\n- role: worker\n- role: control-plane\n",
		"two control planes":   mapped + "- role: control-plane\n", "another port": strings.ReplaceAll(mapped, "30820",
			"30821"),
	} {
		path := kindFile(t, text)
		_, err := Options{Name: "a", Config: path}.config("/marks/a")
		require.Equal(t, exit.Invalid, exit.CodeOf(err), name)
		require.ErrorContains(t, err, path)
	}
}

// TestPodRange: the cluster says which addresses its pods have, and Steamer's rules follow it.
func TestPodRange(t *testing.T) {
	t.Parallel()
	for networking, want := range map[string]string{
		"{podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16}": "10.244.0.0/16",
		"{podSubnet: 10.32.0.0/16}":                               "10.32.0.0/16",
		`{podSubnet: "fd00:10:244::/56,172.30.0.0/20"}`:           "172.30.0.0/20",
		`{podSubnet: "fd00:10:244::/56"}`:                         "",
		"{}":                                                      "",
	} {
		c := &Cluster{Client: fake.NewClientset(&corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "kubeadm-config", Namespace: "kube-system"},
			Data:       map[string]string{"ClusterConfiguration": "kind: ClusterConfiguration\nnetworking: " + networking},
		})}
		pods, err := c.podRange(t.Context())
		require.Equal(t, want, pods)
		if want == "" {
			require.Equal(t, exit.Environment, exit.CodeOf(err))
		}
	}
	_, err := (&Cluster{Client: fake.NewClientset()}).podRange(t.Context())
	require.ErrorContains(t, err, "kubeadm-config")
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"steamer": true, "a": true, "a-b.c1": true, strings.Repeat("a", maxNameLength): true,
		"": false, strings.Repeat("a", maxNameLength+1): false, "A": false, "a_b": false, "-a": false, "a-": false,
		".": false, "..": false,
		"a/b": false, "a b": false, "a\n": false, "ä": false,
	} {
		err := checkName(name)
		require.Equal(t, good, err == nil, "%q: %v", name, err)
		if !good {
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
		}
	}
}

// TestCheckInput: a port that is named and taken is refused, unless a mark in the cache is of the
// cluster that may hold it. One that is left to choose never is.
func TestCheckInput(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	opts := Options{Name: "a", Config: kindFile(t, mapped), HostPort: listener.Addr().(*net.TCPAddr).Port}
	me := someone(t)
	err = CheckInput(me, opts)
	require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "in use")
	require.NoError(t, CheckInput(me, Options{Config: opts.Config}))
	require.NoError(t, newRegistry(me).write(markOf(me)))
	require.NoError(t, CheckInput(me, opts))
	opts.Name = "b"
	require.Equal(t, exit.Invalid, exit.CodeOf(CheckInput(me, opts)), "the mark is another cluster's")
	require.NoError(t, listener.Close())
	require.NoError(t, CheckInput(someone(t), opts))
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
