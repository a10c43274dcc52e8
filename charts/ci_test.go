package charts_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

// TestFeatureSets renders each file of openbao/ci alone, as chart linters do, and checks that what
// it is named after is there.
func TestFeatureSets(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"cloud-native":        {"Deployment/openbao", "PodDisruptionBudget/openbao"},
		"cloud-native-hybrid": {"Deployment/openbao", "PodDisruptionBudget/openbao"},
		"tls":                 {"Deployment/openbao"},
		"monitoring":          {"PodMonitor/openbao", "PrometheusRule/openbao", "ConfigMap/openbao-dashboard"},
		"networkpolicy":       {"NetworkPolicy/openbao", "NetworkPolicy/openbao-bootstrap"},
		"ingress":             {"Ingress/openbao"},
		"gateway":             {"HTTPRoute/openbao"},
		"rolling":             {"Deployment/openbao"},
		"hardened":            {"ValidatingAdmissionPolicy/openbao.steamer", "NetworkPolicy/openbao"},
		"subchart":            {"Deployment/openbao", "Role/openbao"},
	}
	files, err := filepath.Glob("openbao/ci/*-values.yaml")
	require.NoError(t, err)
	require.Len(t, files, len(want))
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), "-values.yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := render(t, input{chart: "openbao", release: release, files: []string{file}})
			require.NoError(t, err)
			require.Subset(t, names(t, out), want[name])
			decode[*appsv1.Deployment](t, out, release)
		})
	}
}

// TestDefaultsAreSmall checks that what needs something in the cluster, or reaches outside, is
// off.
func TestDefaultsAreSmall(t *testing.T) {
	t.Parallel()
	kinds := map[string]bool{}
	for _, key := range names(t, renderOpenBao(t, "")) {
		kind, _, _ := strings.Cut(key, "/")
		kinds[kind] = true
	}
	require.Equal(t, map[string]bool{
		"ConfigMap": true, "Deployment": true, "Job": true, "Pod": true, "PodDisruptionBudget": true, "Role": true,
		"RoleBinding": true, "Service": true, "ServiceAccount": true,
	}, kinds)
}

// TestArtifactHub checks that the annotations are YAML where Artifact Hub wants it, and name the
// version that the chart installs.
func TestArtifactHub(t *testing.T) {
	t.Parallel()
	meta := tree(t, read(t, "openbao/Chart.yaml"))
	for _, key := range []string{"images", "links", "changes"} {
		var items []map[string]string
		text := dig(t, meta, "annotations", "artifacthub.io/"+key).(string)
		require.NoError(t, yaml.UnmarshalStrict([]byte(text), &items), key)
		require.NotEmpty(t, items)
		if key == "images" {
			require.Equal(t, "openbao/openbao:"+meta["appVersion"].(string), items[0]["image"])
		}
	}
}
