package testrun

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/lint/kubeapi"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
)

func sample() Spec {
	return Spec{
		Name: "steamer-load", Namespace: "load", Image: "registry.example/k6:v2.1.0", Parallelism: 3,
		Scripts:   map[string]string{"fetch.js": "// a script"},
		Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}},
		Job: load.Job{Name: "steamer-load", Rate: 900, Fixture: []byte(`{"jwt":"eyJsecret"}`), Profile: load.Profile{
			Name: "smoke", Workload: "fetch", Mode: "inline", Warmup: document.Duration(15 * time.Second),
			Duration: document.Duration(time.Minute), VUs: load.VUs{Initial: 20, Max: 200},
		}},
	}
}

// crd is the operator's own definition, see testdata/README.md.
func crd(t *testing.T) *apiextensions.CustomResourceValidation {
	t.Helper()
	data, err := os.ReadFile("testdata/k6.io_testruns.json")
	require.NoError(t, err)
	var definition apiextensionsv1.CustomResourceDefinition
	require.NoError(t, yaml.UnmarshalStrict(data, &definition))
	require.Equal(t, Kind, definition.Spec.Names.Kind)
	version := definition.Spec.Versions[0]
	require.Equal(t, apiVersion, definition.Spec.Group+"/"+version.Name)
	var internal apiextensions.CustomResourceValidation
	require.NoError(t, apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(
		version.Schema, &internal, nil))
	return &internal
}

func fields(t *testing.T, object any) map[string]any {
	t.Helper()
	data, err := json.Marshal(object)
	require.NoError(t, err)
	var out map[string]any
	require.NoError(t, json.Unmarshal(data, &out))
	return out
}

// problems is what the API server would refuse, or drop.
func problems(t *testing.T, object map[string]any) []string {
	t.Helper()
	definition := crd(t)
	validator, _, err := validation.NewSchemaValidator(definition.OpenAPIV3Schema)
	require.NoError(t, err)
	var found []string
	for _, e := range validation.ValidateCustomResource(nil, object, validator) {
		found = append(found, e.Error())
	}
	shape, err := structural.NewStructural(definition.OpenAPIV3Schema)
	require.NoError(t, err)
	return append(found, pruning.PruneWithOptions(object, shape, true,
		structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})...)
}

// TestObjects holds the manifests against the operator's CRD, the Kubernetes API's schema, its
// strictest pod security, and the golden file.
func TestObjects(t *testing.T) {
	t.Parallel()
	run, scripts, secret := sample().objects()
	require.Empty(t, problems(t, fields(t, run)))
	data, err := yaml.Marshal([]any{run, scripts})
	require.NoError(t, err)
	require.NotContains(t, string(data), "eyJ", "tokens are in the Secret alone")
	require.Equal(t, `{"jwt":"eyJsecret"}`, string(secret.Data[fixtureFile]))
	kube, err := kubeapi.Load("")
	require.NoError(t, err)
	for kind, object := range map[string]any{"ConfigMap": scripts, "Secret": secret} {
		found, err := kube.Validate(schema.GroupVersionKind{Version: "v1", Kind: kind}, fields(t, object))
		require.NoError(t, err)
		require.Empty(t, found, kind)
	}
	for _, pod := range []pod{run.Spec.Runner, run.Spec.Starter} {
		asPod := corev1.PodSpec{
			SecurityContext: pod.SecurityContext, Volumes: pod.Volumes,
			Containers: []corev1.Container{{Name: "k6", SecurityContext: pod.ContainerSecurityContext}},
		}
		loadtest.Restricted(t, &asPod)
	}
	loadtest.Golden(t, filepath.Join("testdata", "testrun.yaml"), run)
}

// TestProblems: the judge of TestObjects notices what is wrong.
func TestProblems(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(spec map[string]any){
		"spec.parallelism: Required": func(spec map[string]any) { delete(spec, "parallelism") },
		"spec.runner.env":            func(spec map[string]any) { spec["runner"].(map[string]any)["env"] = "x" },
		"spec.runner.stdin":          func(spec map[string]any) { spec["runner"].(map[string]any)["stdin"] = true },
		"spec.initializer.disabled":  func(spec map[string]any) { spec["initializer"] = map[string]any{"disabled": "true"} },
	} {
		run, _, _ := sample().objects()
		object := fields(t, run)
		change(object["spec"].(map[string]any))
		found := problems(t, object)
		require.Contains(t, strings.Join(found, "; "), want)
	}
}
