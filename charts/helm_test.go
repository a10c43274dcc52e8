package charts_test

import (
	"debug/buildinfo"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gruntwork-io/terratest/modules/helm"
	"github.com/gruntwork-io/terratest/modules/k8s"
	"github.com/gruntwork-io/terratest/modules/logger"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

const (
	release   = "openbao"
	namespace = "steamer"
	// kubeVersion stands for the cluster's: without one, a Helm built by "go build" takes 1.20.
	kubeVersion = "1.36.0"
)

// Values files of the two topologies; the focused tests start from the first.
const (
	cloudNative       = "openbao/ci/cloud-native-values.yaml"
	cloudNativeHybrid = "openbao/ci/cloud-native-hybrid-values.yaml"
)

// render runs "helm template" on one chart with values given as YAML text on top
// of the values files.
func render(t *testing.T, chart, name, values string, files ...string) (string, error) {
	t.Helper()
	noticed(t, chart)
	if values != "" {
		files = append(files, valuesFile(t, values))
	}
	return helm.RenderTemplateContextE(t, t.Context(), &helm.Options{
		ValuesFiles:    files,
		KubectlOptions: k8s.NewKubectlOptions("", "", namespace),
		Logger:         logger.Discard,
	}, chart, name, nil, "--kube-version", kubeVersion)
}

// noticed opens a chart's files, because go test takes a result from its cache unless a file
// changed that the test itself opened: what the Helm process reads does not count.
func noticed(t *testing.T, chart string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(chart, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			_, err = os.ReadFile(path)
		}
		return err
	}))
}

// valuesFile writes values where Helm can read them: it splits the paths of values
// files at commas, which t.TempDir takes over from a test's name.
func valuesFile(t *testing.T, values string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "values-") //nolint:usetesting // see above
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	file := filepath.Join(dir, "values.yaml")
	require.NoError(t, os.WriteFile(file, []byte(values), 0o600))
	return file
}

// renderOpenBao renders charts/openbao with values on top of the cloud-native ones.
func renderOpenBao(t *testing.T, values string) objects {
	t.Helper()
	out, err := render(t, "openbao", release, values, cloudNative)
	require.NoError(t, err)
	return split(t, out)
}

// objects are a chart's rendered objects by "Kind/name", as YAML.
type objects map[string]string

// split takes a rendered chart apart. Two objects with one name are a defect.
func split(t *testing.T, rendered string) objects {
	t.Helper()
	all := objects{}
	for doc := range strings.SplitSeq("\n"+rendered, "\n---\n") {
		var meta struct {
			Kind     string
			Metadata struct{ Name string }
		}
		require.NoError(t, yaml.Unmarshal([]byte(doc), &meta), doc)
		if meta.Kind == "" {
			continue
		}
		key := meta.Kind + "/" + meta.Metadata.Name
		require.NotContains(t, all, key, "rendered twice")
		all[key] = doc
	}
	return all
}

// get decodes one object. Fields that the type does not know fail the test:
// the API server would drop them without a word.
func get[T any](t *testing.T, all objects, key string) T {
	t.Helper()
	require.Contains(t, all, key)
	var object T
	require.NoError(t, yaml.UnmarshalStrict([]byte(all[key]), &object), key)
	return object
}

// read is a file's text.
func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// parse decodes a JSON document into a tree of maps.
func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var tree map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &tree), text)
	return tree
}

// dig walks a tree along keys and list positions.
func dig(t *testing.T, tree any, path ...any) any {
	t.Helper()
	for i, step := range path {
		switch step := step.(type) {
		case string:
			node, ok := tree.(map[string]any)
			require.True(t, ok, "no object at %v", path[:i])
			require.Contains(t, node, step, "at %v", path[:i])
			tree = node[step]
		case int:
			node, ok := tree.([]any)
			require.True(t, ok, "no list at %v", path[:i])
			require.Greater(t, len(node), step, "at %v", path[:i])
			tree = node[step]
		}
	}
	return tree
}

// TestHelmVersion keeps these tests from judging the charts with another Helm
// than the one the harness installs them with.
func TestHelmVersion(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("helm")
	require.NoError(t, err, "build it and put it first on PATH: go build -o bin/helm helm.sh/helm/v3/cmd/helm")
	info, err := buildinfo.ReadFile(path)
	require.NoError(t, err)
	want, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", "helm.sh/helm/v3").Output()
	require.NoError(t, err)
	built := ""
	for _, dep := range append(info.Deps, &info.Main) {
		if dep.Path == "helm.sh/helm/v3" {
			built = dep.Version
		}
	}
	require.Equal(t, strings.TrimSpace(string(want)), built, "%s is not built from this repository's go.mod", path)
}
