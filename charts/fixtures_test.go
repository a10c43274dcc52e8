package charts_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fixture renders one of the fixture charts, all of its templates, under its own name.
func fixture(t *testing.T, chart, values string) string {
	t.Helper()
	out, err := render(t, input{chart: chart, release: chart, values: values})
	require.NoError(t, err)
	return out
}

// TestPostgreSQL checks each branch of the database fixture.
func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	plain := fixture(t, "postgresql", "")
	set := decode[*appsv1.StatefulSet](t, plain, "postgresql")
	server := set.Spec.Template.Spec.Containers[0]
	require.Equal(t, []string{
		"postgres", "-c", "shared_preload_libraries=pg_stat_statements", "-c",
		"max_connections=100",
	}, server.Args)
	require.Contains(t, server.StartupProbe.Exec.Command, "--host=127.0.0.1",
		"the Unix socket answers before the database exists")
	require.NotNil(t, server.ReadinessProbe.TCPSocket, "a process every two seconds would show in what PostgreSQL uses")
	require.EqualValues(t, 999, *set.Spec.Template.Spec.SecurityContext.RunAsUser)
	require.Len(t, decode[*corev1.Secret](t, plain, "postgresql").Data["password"], 32)
	require.Equal(t, "postgresql", decode[*corev1.Service](t, plain, "postgresql").Spec.Ports[0].TargetPort.String())
	require.Empty(t, set.Spec.VolumeClaimTemplates)

	full := fixture(t, "postgresql", "{auth: {existingSecret: pw, secretKey: p}, maxConnections: 7, "+
		"settings: {fsync: false}, tls: {secret: crt}, persistence: {enabled: true}, runAsUser: 70, runAsGroup: 71}")
	set = decode[*appsv1.StatefulSet](t, full, "postgresql")
	server = set.Spec.Template.Spec.Containers[0]
	for _, arg := range []string{
		"max_connections=7", "fsync=false", "ssl=on",
		"ssl_key_file=/etc/postgresql/tls/tls.key",
	} {
		require.Contains(t, server.Args, arg)
	}
	require.EqualValues(t, 70, *set.Spec.Template.Spec.SecurityContext.RunAsUser)
	require.EqualValues(t, 71, *set.Spec.Template.Spec.SecurityContext.FSGroup)
	require.NotContains(t, names(t, full), "Secret/pw")
	require.NotContains(t, names(t, full), "Secret/postgresql")
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

// TestPgBouncer checks that it is there on demand, takes nobody else's pods, and is told where the
// database is.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	const name = "postgresql-pgbouncer"
	require.NotContains(t, names(t, fixture(t, "postgresql", "")), "Deployment/"+name)
	all := fixture(t, "postgresql", `{auth: {username: u, database: d}, tls: {secret: s}, service: {port: 5433},
		image: {repository: r, tag: t}, nodeSelector: {a: b},
		pgbouncer: {enabled: true, port: 7000, poolMode: transaction, poolSize: 3, maxClientConnections: 9,
			settings: {query_wait_timeout: 5, auth_type: md5}, tls: {secret: c}}}`)
	pod := decode[*appsv1.Deployment](t, all, name).Spec.Template
	require.Equal(t, []string{"pgbouncer", "/etc/pgbouncer/pgbouncer.ini"}, pod.Spec.Containers[0].Command)
	require.Equal(t, "r:t", pod.Spec.Containers[0].Image)
	require.Equal(t, map[string]string{"a": "b"}, pod.Spec.NodeSelector)
	require.Equal(t, corev1.StorageMediumMemory, pod.Spec.Volumes[1].EmptyDir.Medium, "it holds a password")
	own := fixture(t, "postgresql",
		"pgbouncer: {enabled: true, image: {repository: b, tag: '1'}, resources: {requests: {cpu: 1m}}}")
	server := decode[*appsv1.Deployment](t, own, name).Spec.Template.Spec.Containers[0]
	require.Equal(t, "b:1", server.Image)
	require.Equal(t, "1m", server.Resources.Requests.Cpu().String())

	set := decode[*appsv1.StatefulSet](t, all, "postgresql")
	for service, labels := range map[string]map[string]string{
		"postgresql":           set.Spec.Template.Labels,
		"postgresql-pgbouncer": pod.Labels,
	} {
		selector := &metav1.LabelSelector{MatchLabels: decode[*corev1.Service](t, all, service).Spec.Selector}
		require.True(t, matches(t, selector, labels), service)
		require.Equal(t, service == "postgresql", matches(t, selector, set.Spec.Template.Labels))
	}
	require.EqualValues(t, 7000, decode[*corev1.Service](t, all, name).Spec.Ports[0].Port)

	ini := decode[*corev1.ConfigMap](t, all, name).Data["pgbouncer.ini"]
	for _, line := range []string{
		"d = host=postgresql port=5433", "pool_mode = transaction", "default_pool_size = 3", "max_client_conn = 9",
		"query_wait_timeout = 5",
		"auth_type = md5", "admin_users = u", "server_tls_sslmode = require", "client_tls_sslmode = require",
	} {
		require.Contains(t, strings.Split(ini, "\n"), line)
	}
	plain := decode[*corev1.ConfigMap](t, own, name).Data["pgbouncer.ini"]
	require.Contains(t, plain, "server_tls_sslmode = disable")
	require.NotContains(t, plain, "client_tls")
}

// TestGitLabStub checks the issuer, which must equal what the tokens say, and the token of the
// audit sink.
func TestGitLabStub(t *testing.T) {
	t.Parallel()
	env := func(values string) map[string]string {
		stub := decode[*appsv1.Deployment](t, fixture(t, "gitlab-stub", values), "gitlab-stub")
		vars := map[string]string{}
		for _, v := range stub.Spec.Template.Spec.Containers[0].Env {
			vars[v.Name] = v.Value
		}
		return vars
	}
	require.Equal(t, map[string]string{"ISSUER": "http://gitlab-stub.steamer.svc.cluster.local:8080"}, env(""))
	require.Equal(t, map[string]string{"ISSUER": "https://gitlab.example.com"}, env("issuer: https://gitlab.example.com"))
	require.Equal(t, "/etc/gitlab-stub-audit/token", env("auditToken: {secret: s}")["AUDIT_TOKEN_FILE"])

	require.JSONEq(t, `{"audit": {"status": 500, "delay": "1m30s"}, "keys": {"blackhole": true}}`,
		env("faults: {audit: {status: 500, delay: 1m30s}, keys: {blackhole: true}}")["FAULTS"])

	const jwks = `{"keys":[{"kty":"EC","kid":"a"}]}`
	all := fixture(t, "gitlab-stub", "jwks: '"+jwks+"'")
	require.Equal(t, jwks, decode[*corev1.ConfigMap](t, all, "gitlab-stub-jwks").Data["jwks.json"])
}
