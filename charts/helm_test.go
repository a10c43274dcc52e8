package charts_test

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gruntwork-io/terratest/modules/helm"
	"github.com/gruntwork-io/terratest/modules/k8s"
	"github.com/gruntwork-io/terratest/modules/logger"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
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

// input is what "helm template" is given.
type input struct {
	chart, release string
	values         string   // YAML text, on top of the files
	files          []string // values files
	templates      []string // paths inside the chart; none means all of them
}

// output is what "helm template" printed.
type output struct {
	once sync.Once
	text string
	err  error
}

// outputs keeps each output by its input. The tests ask for the same template of the same values
// again and again, and each process of Helm takes a tenth of a second or more.
var outputs sync.Map

// render runs "helm template", once for the same input.
func render(t *testing.T, in input) (string, error) {
	t.Helper()
	kept, _ := outputs.LoadOrStore(fmt.Sprintf("%q", in), &output{})
	out := kept.(*output)
	out.once.Do(func() { out.text, out.err = helmTemplate(t, in) })
	return out.text, out.err
}

// helmTemplate runs "helm template".
func helmTemplate(t *testing.T, in input) (string, error) {
	t.Helper()
	files := slices.Clone(in.files)
	if in.values != "" {
		// Helm splits the paths of values files at commas, which t.TempDir takes over from a
		// test's name.
		file, err := os.CreateTemp("", "values-*.yaml")
		if err != nil {
			return "", err
		}
		defer func() { _ = os.Remove(file.Name()) }()
		if _, err := file.WriteString(in.values); err != nil {
			return "", err
		}
		if err := file.Close(); err != nil {
			return "", err
		}
		files = append(files, file.Name())
	}
	if err := noticed(append(slices.Clone(in.files), in.chart)...); err != nil {
		return "", err
	}
	return helm.RenderTemplateContextE(t, t.Context(), &helm.Options{
		ValuesFiles:    files,
		KubectlOptions: k8s.NewKubectlOptions("", "", namespace),
		Logger:         logger.Discard,
	}, in.chart, in.release, in.templates, "--kube-version", kubeVersion)
}

// noticed opens files and those of directories, because go test takes a result from its cache
// unless a file changed that the test itself opened: what the Helm process reads does not count.
func noticed(paths ...string) error {
	for _, path := range paths {
		err := filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				_, err = os.ReadFile(file)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// renderOpenBao renders templates of charts/openbao with values on top of the cloud-native ones.
// Without templates it renders all of them.
func renderOpenBao(t *testing.T, values string, templates ...string) string {
	t.Helper()
	out, err := render(t, input{
		chart: "openbao", release: release, values: values, files: []string{cloudNative}, templates: templates,
	})
	require.NoError(t, err)
	return out
}

// absent checks that a template of charts/openbao makes nothing.
func absent(t *testing.T, template, values string) {
	t.Helper()
	_, err := render(t, input{
		chart: "openbao", release: release, values: values, files: []string{cloudNative}, templates: []string{template},
	})
	require.ErrorContains(t, err, "could not find template "+template, values)
}

// strict decodes what the API server would take. Fields that it does not know are errors, while
// the API server would drop them without a word.
var strict = serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()

// decode reads rendered templates into the types of the Kubernetes API, all of them strictly, and
// returns the object of type T that has the name.
func decode[T metav1.Object](t *testing.T, rendered, name string) T {
	t.Helper()
	var documents []json.RawMessage
	helm.UnmarshalK8SYaml(t, rendered, &documents)
	var found []T
	for _, document := range documents {
		object, _, err := strict.Decode(document, nil, nil)
		if runtime.IsNotRegisteredError(err) {
			continue // a kind of an operator's
		}
		require.NoError(t, err, "%s", document)
		if object, ok := object.(T); ok && object.GetName() == name {
			found = append(found, object)
		}
	}
	require.Len(t, found, 1, "objects called %s in:\n%s", name, rendered)
	return found[0]
}

// tree reads one rendered object of a kind that has no Go type here.
func tree(t *testing.T, rendered string) map[string]any {
	t.Helper()
	var object map[string]any
	helm.UnmarshalK8SYaml(t, rendered, &object)
	return object
}

// names lists rendered objects as "Kind/name". Two objects of one name are a defect.
func names(t *testing.T, rendered string) []string {
	t.Helper()
	var objects []metav1.PartialObjectMetadata
	helm.UnmarshalK8SYaml(t, rendered, &objects)
	var all []string
	for _, object := range objects {
		name := object.Kind + "/" + object.Name
		require.NotContains(t, all, name, "rendered twice")
		all = append(all, name)
	}
	return all
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
