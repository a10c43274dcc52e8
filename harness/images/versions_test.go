package images

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func sourceTree(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	return root
}

// required returns the version of a module that a nested go.mod requires, or replaces it by.
func required(t *testing.T, file, module string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(sourceTree(t), file))
	require.NoError(t, err)
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && fields[0] == module && strings.HasPrefix(fields[1], "v") {
			return fields[1]
		}
	}
	t.Fatalf("%s requires no %s", file, module)
	return ""
}

func TestVersionsFollowTheModules(t *testing.T) {
	t.Parallel()
	for constant, test := range map[string]struct{ file, module, want string }{
		"KubernetesVersion": {"harness/images/kubernetes/go.mod", "k8s.io/kubernetes", kubernetesVersion},
		"containerdVersion": {"harness/images/containerd/go.mod", "github.com/containerd/containerd/v2", containerdVersion},
		"K6Version":         {"perf/go.mod", "go.k6.io/k6/v2", K6Version},
		"VaultVersion":      {"harness/images/vault/go.mod", "github.com/hashicorp/vault", "v" + vaultVersion},
		// The server's module has no tagged version; its api module is released with it.
		"OpenBaoVersion": {"harness/images/openbao/go.mod", "github.com/openbao/openbao/api/v2", "v" + openBaoVersion},
	} {
		t.Run(constant, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, required(t, test.file, test.module))
		})
	}
}

// The commit is the one that upstream tagged v2.4.0.
func TestOpenBaoIsTheTaggedCommit(t *testing.T) {
	t.Parallel()
	require.True(t, strings.HasSuffix(required(t, "harness/images/openbao/go.mod", "github.com/openbao/openbao"),
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
