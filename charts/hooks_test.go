package charts_test

import (
	"encoding/base64"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/chart"
)

// TestBootstrapJob checks that it runs before the pods, alone, out of every selector's
// reach, and after what it mounts.
func TestBootstrapJob(t *testing.T) {
	t.Parallel()
	const template = "templates/bootstrap.yaml"
	all := renderOpenBao(t, "", template)
	job := decode[*batchv1.Job](t, all, "openbao-bootstrap")
	require.Equal(t, "pre-install,pre-upgrade", job.Annotations["helm.sh/hook"])
	require.EqualValues(t, 1, *job.Spec.Parallelism)
	require.EqualValues(t, 1, *job.Spec.Completions)
	require.Equal(t, batchv1.Failed, *job.Spec.PodReplacementPolicy, "never two at once")

	pod := job.Spec.Template.Spec
	require.False(t, *pod.AutomountServiceAccountToken)
	require.Equal(t, corev1.RestartPolicyNever, pod.RestartPolicy)
	require.Equal(t, "50m", pod.Containers[0].Resources.Requests.Cpu().String(),
		"not the pods' request: it must fit beside them")
	require.Empty(t, pod.ServiceAccountName, "the release's account does not exist yet")
	selector := deployment(t, "").Spec.Selector.MatchLabels
	require.NotEqual(t, selector["app.kubernetes.io/name"], job.Spec.Template.Labels["app.kubernetes.io/name"])

	weight := func(annotations map[string]string) int {
		n, err := strconv.Atoi(annotations["helm.sh/hook-weight"])
		require.NoError(t, err)
		return n
	}
	key := unsealSecret(t)
	config := decode[*corev1.ConfigMap](t, all, "openbao-bootstrap")
	require.Less(t, weight(key.Annotations), weight(job.Annotations))
	require.Less(t, weight(config.Annotations), weight(job.Annotations))
	require.Contains(t, config.Data["bootstrap.sh"], "missing token")
	for _, values := range []string{"config: {initialize: {enabled: false}}", "bootstrap: {enabled: false}"} {
		absent(t, template, values)
	}
}

const (
	unsealSecretTemplate    = "templates/secret-static-unseal.yaml"
	httpAuditSecretTemplate = "templates/secret-http-audit.yaml"
	httpAudit               = "openbaoVersion: 2.5.0\n" +
		"config: {audit: {http: {enabled: true, streamingUri: 'http://w', secretKey: tok}}}\n"
)

func unsealSecret(t *testing.T) *corev1.Secret {
	t.Helper()
	return decode[*corev1.Secret](t, onCluster(t, "")[unsealSecretTemplate], "openbao-static-unseal")
}

// onCluster renders charts/openbao as a cluster does that holds these objects, and returns the
// documents by template, the path in the chart.
func onCluster(t *testing.T, values string, existing ...map[string]any) map[string]string {
	t.Helper()
	loaded, err := chart.Load("openbao")
	require.NoError(t, err)
	base, err := chart.ReadValues(cloudNative)
	require.NoError(t, err)
	own, err := chart.ParseValues("values", []byte(values))
	require.NoError(t, err)
	renderer, err := loaded.Renderer()
	require.NoError(t, err)
	documents, err := renderer.RenderDocuments(chart.Rendering{
		Release: release, Namespace: namespace, KubeVersion: kubeVersion, Existing: existing,
	}, chart.Merge(base, own))
	require.NoError(t, err)
	files := map[string]string{}
	for _, document := range documents {
		_, template, _ := strings.Cut(document.Template, "templates/")
		files["templates/"+template] += "---\n" + document.Text + "\n"
	}
	return files
}

// TestBootstrapBesideThePods checks the Job of a sub-chart whose database is in the same release.
func TestBootstrapBesideThePods(t *testing.T) {
	t.Parallel()
	job := func(values string) *batchv1.Job {
		for _, name := range names(t, renderOpenBao(t, values, "templates/bootstrap.yaml")) {
			if name, ok := strings.CutPrefix(name, "Job/"); ok {
				return decode[*batchv1.Job](t, renderOpenBao(t, values, "templates/bootstrap.yaml"), name)
			}
		}
		t.Fatal("no Job")
		return nil
	}
	beside := job("bootstrap: {hook: false}")
	require.Empty(t, beside.Annotations, "an install would wait for a database that is not there")
	require.NotEqual(t, beside.Name, job("{bootstrap: {hook: false}, config: {cacheSize: 1}}").Name, "immutable")
	long := job("{bootstrap: {hook: false}, fullnameOverride: " + strings.Repeat("a", 60) + "}")
	require.LessOrEqual(t, len(long.Name), 63)
	env := func(job *batchv1.Job) []corev1.EnvVar { return job.Spec.Template.Spec.Containers[0].Env }
	require.Contains(t, env(beside), corev1.EnvVar{Name: "ALONE", Value: "false"})
	require.Contains(t, env(job("")), corev1.EnvVar{Name: "ALONE", Value: "false"}, "no cluster tells")
	first := decode[*batchv1.Job](t, onCluster(t, "")["templates/bootstrap.yaml"], "openbao-bootstrap")
	require.Contains(t, env(first), corev1.EnvVar{Name: "ALONE", Value: "true"})
	again := decode[*batchv1.Job](t, onCluster(t, "", map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": release, "namespace": namespace},
	})["templates/bootstrap.yaml"], "openbao-bootstrap")
	require.Contains(t, env(again), corev1.EnvVar{Name: "ALONE", Value: "false"}, "pods may be there")

	const login = "LOGIN"
	require.Contains(t, env(beside), corev1.EnvVar{Name: login, Value: "auth/gitlab_rails_jwt/login"})
	require.Contains(t, env(job("initializeTpl: '- own: {request: []}'")), corev1.EnvVar{Name: login})
}

// stored is a Secret as a cluster has it.
func stored(name, key, value string) map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{
			"name": name, "namespace": namespace, "uid": "uid-of-" + name,
		},
		"data": map[string]any{key: base64.StdEncoding.EncodeToString([]byte(value))},
	}
}

// TestGeneratedSecretsNeedLookup checks that no Secret is generated where nothing tells whether it
// exists: "helm template | kubectl apply" and Argo CD would replace it at each turn.
func TestGeneratedSecretsNeedLookup(t *testing.T) {
	t.Parallel()
	nowhere := renderOpenBao(t, httpAudit)
	require.NotContains(t, nowhere, "kind: Secret")
	first := onCluster(t, httpAudit)
	for template, name := range map[string]string{
		unsealSecretTemplate: "openbao-static-unseal", httpAuditSecretTemplate: "openbao-http-audit",
	} {
		decode[*corev1.Secret](t, first[template], name)
		require.Contains(t, nowhere, "# No Secret "+name+" here", "what to do instead")
	}
	require.NotContains(t, first["templates/deployment.yaml"], "# No Secret")
	require.NotContains(t, renderOpenBao(t, ""), "openbao-http-audit here", "nothing mounts it")
	token := stored("openbao-http-audit", "tok", "old")
	again := onCluster(t, httpAudit, stored("openbao-static-unseal", "key", "old"), token)
	require.Empty(t, again[unsealSecretTemplate])
	require.Empty(t, again[httpAuditSecretTemplate], "Helm does not take over what the release did not make")
	token["metadata"].(map[string]any)["annotations"] = map[string]any{"meta.helm.sh/release-name": release}
	again = onCluster(t, httpAudit, token)
	kept := decode[*corev1.Secret](t, again[httpAuditSecretTemplate], "openbao-http-audit")
	require.Equal(t, "old", string(kept.Data["tok"]))
}

// TestStaticUnsealSecret checks the key's size and that Helm never removes it.
func TestStaticUnsealSecret(t *testing.T) {
	t.Parallel()
	key := unsealSecret(t)
	require.Equal(t, "keep", key.Annotations["helm.sh/resource-policy"])
	require.Len(t, key.Data["key"], 32, "AES-256")
	require.NotContains(t, key.Annotations, "helm.sh/hook-delete-policy")
	for _, values := range []string{
		"{staticUnsealSecret: {generate: false}, " +
			"extraVolumeMounts: [{name: k, mountPath: /srv/openbao/keys/static-unseal-1}]}",
		"config: {unseal: {static: {currentKeySecret: mine}}}",
		"config: {unseal: {static: {enabled: false}}}",
	} {
		require.Empty(t, onCluster(t, values)[unsealSecretTemplate], values)
	}
	mine := deployment(t, "config: {unseal: {static: {currentKeySecret: mine, currentKeySecretKey: k}}}")
	for _, v := range mine.Spec.Template.Spec.Volumes {
		if v.Name == "static-unseal" {
			require.Equal(t, "mine", v.Secret.SecretName)
			require.Equal(t, []corev1.KeyToPath{{Key: "k", Path: "static-unseal-1"}}, v.Secret.Items)
			return
		}
	}
	t.Fatal("no volume static-unseal")
}

// TestUnsealKeys checks that both keys of a rotation, which lie in one directory, are single files
// where OpenBao reads them.
func TestUnsealKeys(t *testing.T) {
	t.Parallel()
	pod := deployment(t, "config: {unseal: {static: "+
		"{previousKeyId: old, previousKeySecret: before, previousKeySecretKey: k}}}").Spec.Template.Spec
	files := map[string]string{} // by path: the Secret and its key
	for _, mount := range pod.Containers[0].VolumeMounts {
		for _, volume := range pod.Volumes {
			if mount.Name == volume.Name && volume.Secret != nil {
				require.Equal(t, mount.SubPath, volume.Secret.Items[0].Path)
				files[mount.MountPath] = volume.Secret.SecretName + "/" + volume.Secret.Items[0].Key
			}
		}
	}
	require.Equal(t, map[string]string{
		"/srv/openbao/keys/static-unseal-1": "openbao-static-unseal/key", "/srv/openbao/keys/static-unseal-0": "before/k",
	}, files)
}

// TestHTTPAuditSecret checks that the token's name is the same where it is made and where it is
// mounted.
func TestHTTPAuditSecret(t *testing.T) {
	t.Parallel()
	secret := decode[*corev1.Secret](t, onCluster(t, httpAudit)[httpAuditSecretTemplate], "openbao-http-audit")
	require.Len(t, secret.Data["tok"], 48)
	require.Equal(t, "keep", secret.Annotations["helm.sh/resource-policy"], "GitLab knows it, too")
	require.Empty(t, onCluster(t, "")[httpAuditSecretTemplate])
	require.Empty(t, onCluster(t, httpAudit+"httpAuditSecret: {generate: false}\n"+
		"extraVolumeMounts: [{name: v, mountPath: /srv/openbao/audit/gitlab-auth}]")[httpAuditSecretTemplate])
}

// TestStatusPod checks that "helm test" asks the active Service for its seal status.
func TestStatusPod(t *testing.T) {
	t.Parallel()
	pod := decode[*corev1.Pod](t, renderOpenBao(t, "", "templates/tests/status.yaml"), "openbao-test-status")
	require.Equal(t, "test", pod.Annotations["helm.sh/hook"])
	require.Equal(t, []string{"bao", "status"}, pod.Spec.Containers[0].Command)
	require.Contains(t, pod.Spec.Containers[0].Env, corev1.EnvVar{Name: "BAO_ADDR", Value: "http://openbao-active:8200"})
	selector := deployment(t, "").Spec.Selector.MatchLabels
	require.NotEqual(t, selector["app.kubernetes.io/name"], pod.Labels["app.kubernetes.io/name"])
}
