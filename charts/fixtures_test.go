package charts_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// fixture renders one of the fixture charts under its own name.
func fixture(t *testing.T, chart, values string) objects {
	t.Helper()
	out, err := render(t, chart, chart, values)
	require.NoError(t, err)
	return split(t, out)
}

// TestPostgreSQL checks each branch of the database fixture.
func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	plain := fixture(t, "postgresql", "")
	set := get[appsv1.StatefulSet](t, plain, "StatefulSet/postgresql")
	server := set.Spec.Template.Spec.Containers[0]
	require.Equal(t, []string{"postgres", "-c", "shared_preload_libraries=pg_stat_statements", "-c", "max_connections=100"}, server.Args)
	require.Contains(t, server.StartupProbe.Exec.Command, "--host=127.0.0.1", "the Unix socket answers before the database exists")
	require.NotNil(t, server.ReadinessProbe.TCPSocket, "a process every two seconds would show in what PostgreSQL uses")
	require.EqualValues(t, 999, *set.Spec.Template.Spec.SecurityContext.RunAsUser)
	require.Len(t, get[corev1.Secret](t, plain, "Secret/postgresql").Data["password"], 32)
	require.Equal(t, "postgresql", get[corev1.Service](t, plain, "Service/postgresql").Spec.Ports[0].TargetPort.String())
	require.Empty(t, set.Spec.VolumeClaimTemplates)

	full := fixture(t, "postgresql", "{auth: {existingSecret: pw, secretKey: p}, maxConnections: 7, settings: {fsync: false}, tls: {secret: crt}, persistence: {enabled: true}, runAsUser: 70, runAsGroup: 71}")
	set = get[appsv1.StatefulSet](t, full, "StatefulSet/postgresql")
	server = set.Spec.Template.Spec.Containers[0]
	for _, arg := range []string{"max_connections=7", "fsync=false", "ssl=on", "ssl_key_file=/etc/postgresql/tls/tls.key"} {
		require.Contains(t, server.Args, arg)
	}
	require.EqualValues(t, 70, *set.Spec.Template.Spec.SecurityContext.RunAsUser)
	require.EqualValues(t, 71, *set.Spec.Template.Spec.SecurityContext.FSGroup)
	require.NotContains(t, full, "Secret/pw")
	require.NotContains(t, full, "Secret/postgresql")
	require.Len(t, set.Spec.VolumeClaimTemplates, 1)
	volumes := map[string]bool{"data": true} // the claim
	for _, v := range set.Spec.Template.Spec.Volumes {
		require.False(t, volumes[v.Name], v.Name)
		volumes[v.Name] = true
	}
	for _, m := range server.VolumeMounts {
		require.True(t, volumes[m.Name], m.Name)
	}
}

// TestGitLabStub checks the issuer, which must equal what the tokens say, and the token of the audit sink.
func TestGitLabStub(t *testing.T) {
	t.Parallel()
	env := func(values string) map[string]string {
		stub := get[appsv1.Deployment](t, fixture(t, "gitlab-stub", values), "Deployment/gitlab-stub")
		vars := map[string]string{}
		for _, v := range stub.Spec.Template.Spec.Containers[0].Env {
			vars[v.Name] = v.Value
		}
		return vars
	}
	require.Equal(t, map[string]string{"ISSUER": "http://gitlab-stub.steamer.svc.cluster.local:8080"}, env(""))
	require.Equal(t, map[string]string{"ISSUER": "https://gitlab.example.com"}, env("issuer: https://gitlab.example.com"))
	require.Equal(t, "/etc/gitlab-stub-audit/token", env("auditToken: {secret: s}")["AUDIT_TOKEN_FILE"])

	const jwks = `{"keys":[{"kty":"EC","kid":"a"}]}`
	all := fixture(t, "gitlab-stub", "jwks: '"+jwks+"'")
	require.Equal(t, jwks, get[corev1.ConfigMap](t, all, "ConfigMap/gitlab-stub-jwks").Data["jwks.json"])
}
