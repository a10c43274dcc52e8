package charts_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// gitlabOnly holds every key that GitLab's OpenBao chart 0.12.3 documents, in the shape its own
// defaults have.
const gitlabOnly = "testdata/gitlab-dialect-values.yaml"

// renderGitLab renders templates of charts/openbao with values on top of GitLab's keys alone.
func renderGitLab(t *testing.T, values string, templates ...string) string {
	t.Helper()
	out, err := render(t, input{
		chart: "openbao", release: release, values: values, files: []string{gitlabOnly}, templates: templates,
	})
	require.NoError(t, err)
	return out
}

func gitlabDeployment(t *testing.T, values string) *appsv1.Deployment {
	t.Helper()
	return decode[*appsv1.Deployment](t, renderGitLab(t, values, "templates/deployment.yaml"), release)
}

// TestGitLabDialect gives the chart nothing but keys of GitLab's: all are accepted, nulls and
// templates included, and what they say is done.
func TestGitLabDialect(t *testing.T) {
	t.Parallel()
	all := renderGitLab(t, "")
	require.NotContains(t, names(t, all), "Ingress/openbao", "null leaves the choice to the chart")

	pod := gitlabDeployment(t, "").Spec.Template.Spec
	server := pod.Containers[0]
	require.Equal(t, "registry.test/openbao:2.4.4-gitlab2-fips", server.Image)
	require.EqualValues(t, 30, server.LivenessProbe.FailureThreshold)
	require.Equal(t, "/v1/sys/health?standbyok=true", server.LivenessProbe.HTTPGet.Path)
	require.Contains(t, server.VolumeMounts, corev1.VolumeMount{
		Name: "unseal", MountPath: "/srv/openbao/keys/gl-unseal-1",
		SubPath: "key", ReadOnly: true,
	})
	mounted := map[string]bool{}
	for _, mount := range server.VolumeMounts {
		require.False(t, mounted[mount.MountPath], mount.MountPath)
		mounted[mount.MountPath] = true
	}
	for _, volume := range pod.Volumes {
		require.NotContains(t, []string{"static-unseal", "http-audit"}, volume.Name,
			"generate is false: GitLab mounts the Secrets")
	}
	require.NotContains(t, names(t, all), "Secret/openbao-static-unseal")

	config := parse(t, decode[*corev1.ConfigMap](t, all, "openbao-config").Data["config.json"])
	require.Equal(t, "file:///srv/openbao/keys/gl-unseal-1", dig(t, config, "seal", "static", "current_key"))
	require.Equal(t, 1048576.0, dig(t, config, "listener", 0, "tcp", "max_request_json_memory"), "2.4.4 knows it")
	require.Equal(t, 5.0, dig(t, config, "storage", "postgresql", "max_parallel"))
	require.NotContains(t, dig(t, config, "storage", "postgresql"), "table")
	require.Equal(t, "https://workhorse.test/audit",
		dig(t, config, "audit", 1, "http", "gitlab_stream", "options", "uri"))

	bootstrap := parse(t, decode[*corev1.ConfigMap](t, all, "openbao-bootstrap").Data["config.json"])
	require.Len(t, bootstrap["audit"], 1, "GitLab need not be up")
	require.Contains(t, dig(t, bootstrap, "audit", 0), "file")
	role := dig(t, bootstrap, "initialize", 0, "gitlab-auth", "request", 0, "manager-role", "data")
	require.Equal(t, "https://openbao.test", dig(t, role, "bound_audiences"))
}
