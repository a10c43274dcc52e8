package pods

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/lint/kubeapi"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
)

func sample() (Runner, load.Job) {
	return Runner{
		Image: "registry.example/k6:v2.1.0", Namespace: "steamer-load-r1",
		Labels: map[string]string{"steamer.gitlab.com/run": "r1"}, Parallelism: 3,
		Scripts: "../../../perf/scripts",
		Resources: corev1.ResourceRequirements{
			Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
		},
	}, load.Job{
		Name: "cloud-native", Rate: 150, Target: "http://10.96.0.10:8200", Fixture: []byte(`{"jwt":"eyJsecret"}`),
		Profile: load.Profile{
			Name: "smoke", Workload: "fetch", Mode: "inline", Warmup: document.Duration(15 * time.Second),
			Duration: document.Duration(time.Minute), VUs: load.VUs{Initial: 20, Max: 200},
		},
	}
}

// TestObjects holds what is sent to Kubernetes against the API's own schema and its strictest pod
// security, and against the golden file.
func TestObjects(t *testing.T) {
	t.Parallel()
	r, j := sample()
	scripts, err := Scripts(r.Scripts, j.Profile.Workload)
	require.NoError(t, err)
	require.Contains(t, scripts[MainScript], "from './fetch.js'")
	job := r.job(j, scripts, 10*time.Minute)
	kube, err := kubeapi.Load("")
	require.NoError(t, err)
	for kind, object := range map[string]any{"Namespace": r.namespace(), "ConfigMap": r.configMap(scripts), "Job": job} {
		data, err := json.Marshal(object)
		require.NoError(t, err)
		require.NotContains(t, string(data), "eyJ", "the fixture is in no object")
		var fields map[string]any
		require.NoError(t, json.Unmarshal(data, &fields))
		gvk := schema.GroupVersionKind{Version: "v1", Kind: kind}
		if kind == "Job" {
			gvk.Group = "batch"
		}
		fields["apiVersion"], fields["kind"] = gvk.GroupVersion().String(), kind
		problems, err := kube.Validate(gvk, fields)
		require.NoError(t, err)
		require.Empty(t, problems, kind)
	}
	loadtest.Restricted(t, &job.Spec.Template.Spec)

	// Which scripts there are is not this package's to say.
	job = r.job(j, map[string]string{"fetch.js": "", MainScript: "", "lib/deep.js": ""}, 10*time.Minute)
	loadtest.Golden(t, filepath.Join("testdata", "job.yaml"), job)
}

func TestScriptsRefuses(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]string{
		t.TempDir():                        "there is no fetch.js",
		filepath.Join(t.TempDir(), "none"): "no such file",
	} {
		_, err := Scripts(dir, "fetch")
		require.ErrorContains(t, err, want)
	}
}
