package images

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kind/pkg/apis/config/defaults"
)

func sourceTree(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	return root
}

// required returns the versions of the modules that a go.mod file requires, or replaces them by.
func required(t *testing.T, file string) map[string]string {
	t.Helper()
	data, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json",
		filepath.Join(sourceTree(t), file)).Output()
	require.NoError(t, err)
	type module struct{ Path, Version string }
	var parsed struct {
		Require []module
		Replace []struct{ Old, New module }
	}
	require.NoError(t, json.Unmarshal(data, &parsed))
	versions := map[string]string{}
	for _, m := range parsed.Require {
		versions[m.Path] = m.Version
	}
	for _, r := range parsed.Replace {
		if _, ok := versions[r.Old.Path]; ok {
			versions[r.Old.Path] = r.New.Version
		}
	}
	require.NotEmpty(t, versions, file)
	return versions
}

func TestVersionsFollowTheModules(t *testing.T) {
	t.Parallel()
	for constant, test := range map[string]struct{ file, module, want string }{
		"kubernetesVersion": {programsModule + "/go.mod", "k8s.io/kubernetes", kubernetesVersion},
		"containerdVersion": {containerdModule + "/go.mod", "github.com/containerd/containerd/v2", containerdVersion},
		"etcdVersion":       {programsModule + "/go.mod", "go.etcd.io/etcd/server/v3", etcdVersion},
		"corednsVersion":    {programsModule + "/go.mod", "github.com/coredns/coredns", corednsVersion},
		"K6Version":         {"perf/go.mod", "go.k6.io/k6/v2", K6Version},
		"VaultVersion":      {"harness/images/vault/go.mod", "github.com/hashicorp/vault", "v" + vaultVersion},
		// The server's module has no tagged version; its api module is released with it.
		"OpenBaoVersion": {"harness/images/openbao/go.mod", "github.com/openbao/openbao/api/v2", "v" + openBaoVersion},
	} {
		t.Run(constant, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, required(t, test.file)[test.module])
		})
	}
}

// What steamer and the node's programs share is compiled once if its version is the same, and that
// of all that it needs. containerd's release does not build with newer interfaces of Kubernetes.
func TestSharedModulesHaveOneVersion(t *testing.T) {
	t.Parallel()
	for file, others := range map[string]map[string]map[string]string{
		programsModule:   {".": required(t, "go.mod")},
		containerdModule: {".": required(t, "go.mod"), programsModule: required(t, programsModule+"/go.mod")},
	} {
		own, shared := required(t, file+"/go.mod"), 0
		for other, versions := range others {
			for module, version := range versions {
				older := file == containerdModule && (strings.HasPrefix(module, "k8s.io/") && module != "k8s.io/klog/v2" ||
					module == "github.com/containerd/containerd/api" || module == "sigs.k8s.io/structured-merge-diff/v6")
				if own[module] == "" || older {
					continue
				}
				shared++
				require.Equal(t, version, own[module], "%s: raise it in %s and %s alike", module, file, other)
			}
		}
		require.Greater(t, shared, 50, file)
	}
}

// A node that is built runs the Kubernetes that is pulled where a registry answers.
func TestKubernetesIsKindsDefault(t *testing.T) {
	t.Parallel()
	require.Contains(t, defaults.Image, ":"+kubernetesVersion+"@")
}

// kubeadm names the images of the control plane that it was released with.
func TestControlPlaneIsWhatKubeadmExpects(t *testing.T) {
	t.Parallel()
	for image, good := range map[[2]string]bool{
		{"etcd", "3.7.0-0"}: true, {"coredns", "v1.14.6"}: true, {"pause", "3.10.2"}: true, {"kube-proxy", "v1.37.0"}: true,
		{"etcd", "3.7.1-0"}: false, {"coredns", "v1.14.7"}: false,
	} {
		if err := expected(image[0], image[1]); good {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "kubeadm v1.37.0 expects "+image[0]+" "+image[1])
		}
	}
}

// docs/images.md names what a node image that Steamer builds holds.
func TestDocumentsNameTheVersions(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(sourceTree(t), "docs/images.md"))
	require.NoError(t, err)
	plugins := required(t, programsModule+"/go.mod")["github.com/containernetworking/plugins"]
	for name, version := range map[string]string{
		"Kubernetes": kubernetesVersion, "containerd": containerdVersion, "etcd": etcdVersion, "CoreDNS": corednsVersion,
		"CNI plugins": plugins, "OpenBao": "v" + openBaoVersion, "PostgreSQL": "v" + postgreSQLVersion,
	} {
		require.Contains(t, strings.Join(strings.Fields(string(data)), " "), name+" "+strings.TrimPrefix(version, "v"))
	}
}

// The commit is the one that upstream tagged v2.4.0.
func TestOpenBaoIsTheTaggedCommit(t *testing.T) {
	t.Parallel()
	require.True(t, strings.HasSuffix(required(t, "harness/images/openbao/go.mod")["github.com/openbao/openbao"],
		"-f9407a27fbee"))
	require.Equal(t, "2.4.0", openBaoVersion)
}

func TestPostgreSQLPackageIsOfItsVersion(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(sourceTree(t), "harness/images/workloads.go"))
	require.NoError(t, err)
	require.Contains(t, string(data), `"postgresql-`+postgreSQLVersion+`"`)
	require.Contains(t, string(data), "/usr/lib/postgresql/"+postgreSQLVersion+"/bin")
}
