package charts_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
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

const unsealSecretTemplate = "templates/secret-static-unseal.yaml"

func unsealSecret(t *testing.T) *corev1.Secret {
	t.Helper()
	return decode[*corev1.Secret](t, renderOpenBao(t, "", unsealSecretTemplate), "openbao-static-unseal")
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
		absent(t, unsealSecretTemplate, values)
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
	const template = "templates/secret-http-audit.yaml"
	const on = "openbaoVersion: 2.5.0\n" +
		"config: {audit: {http: {enabled: true, streamingUri: 'http://w', secretKey: tok}}}\n"
	secret := decode[*corev1.Secret](t, renderOpenBao(t, on, template), "openbao-http-audit")
	require.Len(t, secret.Data["tok"], 48)
	absent(t, template, "")
	absent(t, template, on+"httpAuditSecret: {generate: false}\n"+
		"extraVolumeMounts: [{name: v, mountPath: /srv/openbao/audit/gitlab-auth}]")
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
