package pods

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/check/kubeapi"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result/strict"
)

var update = flag.Bool("update", false, "write the golden file anew") //nolint:gochecknoglobals // a test flag

func sample() (Runner, load.Job) {
	return Runner{
		Image: "registry.example/k6:v2.1.0", Namespace: "steamer-load-r1", Labels: map[string]string{"steamer.gitlab.com/run": "r1"}, Parallelism: 3,
		Scripts: "../../../perf/scripts", Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}},
	}, load.Job{Name: "cloud-native", Rate: 150, Target: "http://10.96.0.10:8200", Fixture: []byte(`{"jwt":"eyJsecret"}`), Profile: load.Profile{
		Name: "smoke", Workload: "fetch", Mode: "inline", Warmup: strict.Duration(15 * time.Second), Duration: strict.Duration(time.Minute), VUs: load.VUs{Initial: 20, Max: 200},
	}}
}

// TestObjects holds what is sent to Kubernetes against the API's own schema and its strictest pod security, and against the golden file.
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
	judge, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	require.NoError(t, err)
	for _, verdict := range judge.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &job.Spec.Template.ObjectMeta, &job.Spec.Template.Spec) {
		require.True(t, verdict.Allowed, "%s: %s", verdict.ForbiddenReason, verdict.ForbiddenDetail)
	}

	// Which scripts there are is not this package's to say.
	job = r.job(j, map[string]string{"fetch.js": "", MainScript: "", "lib/deep.js": ""}, 10*time.Minute)
	got, err := yaml.Marshal(job)
	require.NoError(t, err)
	golden := filepath.Join("testdata", "job.yaml")
	if *update {
		require.NoError(t, os.WriteFile(golden, got, 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "go test ./harness/load/pods -update writes it anew")
}

func TestScriptsRefuses(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]string{t.TempDir(): "there is no fetch.js", filepath.Join(t.TempDir(), "none"): "no such file"} {
		_, err := Scripts(dir, "fetch")
		require.ErrorContains(t, err, want)
	}
}
