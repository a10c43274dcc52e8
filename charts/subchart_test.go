package charts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// TestSubchart renders a parent chart with its database beside OpenBao: the switches by which
// parents choose sub-charts are no values of the chart's own, and no hook waits for the database.
func TestSubchart(t *testing.T) {
	t.Parallel()
	parent := umbrella(t, "openbao", "postgresql")
	values := map[string]any{
		"openbao": tree(t, read(t, cloudNative)), "postgresql": map[string]any{"enabled": true},
	}
	sub := values["openbao"].(map[string]any)
	sub["enabled"], sub["install"], sub["bootstrap"] = true, true, map[string]any{"hook": false}
	text, err := yaml.Marshal(values)
	require.NoError(t, err)
	all, err := render(t, input{chart: parent, release: release, values: string(text)})
	require.NoError(t, err)
	require.Subset(t, names(t, all), []string{"Deployment/openbao", "StatefulSet/openbao-postgresql"})
	for _, document := range strings.Split(all, "\n---") {
		if strings.Contains(document, "helm.sh/hook:") {
			require.Contains(t, document, "helm.sh/hook: test")
		}
	}
	sub["enabled"] = false
	text, err = yaml.Marshal(values)
	require.NoError(t, err)
	all, err = render(t, input{chart: parent, release: release, values: string(text)})
	require.NoError(t, err)
	require.NotContains(t, all, "Deployment")
}

// umbrella writes a chart that has charts of this directory as its sub-charts, each behind its own
// condition, and returns its path.
func umbrella(t *testing.T, charts ...string) string {
	t.Helper()
	dir := t.TempDir()
	meta := map[string]any{"apiVersion": "v2", "name": "umbrella", "version": "1.0.0"}
	var dependencies []map[string]any
	for _, chart := range charts {
		require.NoError(t, os.CopyFS(filepath.Join(dir, "charts", chart), os.DirFS(chart)))
		dependencies = append(dependencies, map[string]any{
			"name": chart, "version": tree(t, read(t, chart+"/Chart.yaml"))["version"], "condition": chart + ".enabled",
		})
	}
	meta["dependencies"] = dependencies
	text, err := yaml.Marshal(meta)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Chart.yaml"), text, 0o600))
	return dir
}
