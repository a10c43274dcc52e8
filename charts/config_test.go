package charts_test

import (
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// serverConfig is the pods' config.json.
func serverConfig(t *testing.T, values string) map[string]any {
	t.Helper()
	config := decode[*corev1.ConfigMap](t, renderOpenBao(t, values, "templates/configmap.yaml"), "openbao-config")
	return parse(t, config.Data["config.json"])
}

// bootstrapConfig is the config.json of the Job that initialises.
func bootstrapConfig(t *testing.T, values string) map[string]any {
	t.Helper()
	config := decode[*corev1.ConfigMap](t, renderOpenBao(t, values, "templates/bootstrap.yaml"), "openbao-bootstrap")
	return parse(t, config.Data["config.json"])
}

// TestConfig checks one part of config.json per template branch.
func TestConfig(t *testing.T) {
	t.Parallel()
	const httpAudit = `{openbaoVersion: 2.5.0,
		config: {audit: {http: {enabled: true, streamingUri: "http://w/a?b&c"}}}}`
	api, metrics := []any{"listener", 0, "tcp"}, []any{"listener", 1, "tcp"}
	cases := []struct {
		name, values string
		path         []any
		want         any
	}{
		{"cache size is a whole number", `config: {cacheSize: 131072}`, []any{"cache_size"}, 131072.0},
		{"request limit does not turn into 1e+06", `config: {maxRequestSize: 1000000}`, append(api, "max_request_size"), 1e6},
		{"pool", `config: {storage: {postgresql: {maxParallel: 5, maxIdleConnections: 2}}}`, []any{
			"storage", "postgresql",
			"max_parallel",
		}, 5.0},
		{
			"idle connections", `config: {storage: {postgresql: {maxParallel: 5, maxIdleConnections: 2}}}`,
			[]any{"storage", "postgresql", "max_idle_connections"},
			2.0,
		},
		{"transactions leave connections", `config: {storage: {postgresql: {maxParallel: 5}}}`, []any{
			"storage", "postgresql",
			"transaction_max_parallel",
		}, 3.0},
		{"transactions of a small pool", `config: {storage: {postgresql: {maxParallel: 2}}}`, []any{
			"storage", "postgresql",
			"transaction_max_parallel",
		}, 1.0},
		{
			"transactions", `config: {storage: {postgresql: {maxParallel: 5, transactionMaxParallel: 4}}}`,
			[]any{"storage", "postgresql", "transaction_max_parallel"},
			4.0,
		},
		{"high availability", ``, []any{"storage", "postgresql", "ha_enabled"}, "true"},
		{"table name", `config: {storage: {postgresql: {table: kv, haTable: locks}}}`, []any{
			"storage", "postgresql",
			"table",
		}, "kv"},
		{"lock table name", `config: {storage: {postgresql: {table: kv, haTable: locks}}}`, []any{
			"storage", "postgresql",
			"ha_table",
		}, "locks"},
		{"current key", ``, []any{"seal", "static", "current_key"}, "file:///srv/openbao/keys/static-unseal-1"},
		{
			"previous key, for a rotation", `config: {unseal: {static: {previousKeyId: old, previousKeySecret: s}}}`,
			[]any{"seal", "static", "previous_key"},
			"file:///srv/openbao/keys/static-unseal-0",
		},
		{
			"request duration in seconds", `config: {defaultMaxRequestDuration: 30}`,
			[]any{"default_max_request_duration"},
			"30s",
		},
		{"audit to stdout", ``, []any{"audit", 0, "options", "file_path"}, "stdout"},
		{"metrics listener", ``, append(metrics, "address"), ":8209"},
		{"metrics without a token", ``, append(metrics, "telemetry", "unauthenticated_metrics_access"), true},
		{"filters match the default prefix", "", []any{"telemetry", "prefix_filter", 1}, "-openbao.rollback"},
		{"filters match it for routes", "", []any{"telemetry", "prefix_filter", 0}, "-openbao.route"},
		{
			"filters follow the prefix", `config: {telemetry: {metricsPrefix: secrets_manager_openbao}}`,
			[]any{"telemetry", "prefix_filter", 0},
			"-secrets_manager_openbao.route",
		},
		{
			"TLS certificate", `{tlsSecretName: tls, config: {tlsDisable: false}}`, append(api, "tls_cert_file"),
			"/srv/openbao/tls/tls.crt",
		},
		{
			"TLS on the metrics listener too", `{tlsSecretName: tls, config: {tlsDisable: false}}`,
			append(metrics, "tls_disable"), false,
		},
		{"settings the chart does not know", `config: {extra: {plugin_directory: /p}}`, []any{"plugin_directory"}, "/p"},
		{"http audit never probes GitLab", httpAudit, []any{"audit", 1, "options", "skip_test"}, "true"},
		{"http audit address unescaped", httpAudit, []any{"audit", 1, "options", "uri"}, "http://w/a?b&c"},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, dig(t, serverConfig(t, tt.values), tt.path...))
		})
	}
}

// TestConfigOff checks what must be absent when its switch is off.
func TestConfigOff(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, values, key string }{
		{"audit", `config: {audit: {file: {enabled: false}}}`, "audit"},
		{"seal", `config: {unseal: {static: {enabled: false}}}`, "seal"},
		{"service registration", `config: {serviceRegistration: {enabled: false}}`, "service_registration"},
		{"initialize, which belongs to the bootstrap Job", ``, "initialize"},
		{"request duration", ``, "default_max_request_duration"},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.NotContains(t, serverConfig(t, tt.values), tt.key)
		})
	}
	require.Len(t, serverConfig(t, `config: {metricsListener: {enabled: false}}`)["listener"], 1)
	require.Len(t, serverConfig(t, "")["audit"], 1, "the http device is there only when it is enabled")
}

// TestInitialize checks what Rails depends on, in the Job and, without it, in the pods.
func TestInitialize(t *testing.T) {
	t.Parallel()
	pods := "bootstrap: {enabled: false}\nreplicaCount: 1"
	for name, config := range map[string]map[string]any{"job": bootstrapConfig(t, ""), "pods": serverConfig(t, pods)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := []any{"initialize", 0, "gitlab-auth", "request"}
			jwt := dig(t, config, append(requests, 1, "configure-jwt", "data")...)
			require.Equal(t, true, dig(t, jwt, "skip_jwks_validation"), "GitLab need not be up")
			require.Equal(t, "http://gitlab-stub.steamer.svc.cluster.local:8080", dig(t, jwt, "bound_issuer"))
			role := dig(t, config, append(requests, 3, "role-app")...)
			require.Equal(t, "auth/gitlab_rails_jwt/role/app", dig(t, role, "path"))
			require.Equal(t, []any{"http://openbao.steamer.svc.cluster.local"}, dig(t, role, "data", "bound_audiences"))
			require.Equal(t, "privileged", dig(t, role, "data", "bound_claims", "secrets_manager_scope"))
		})
	}
	absent(t, "templates/bootstrap.yaml", pods)
	issuer := bootstrapConfig(t, `config: {initialize: {boundIssuer: ""}}`)
	require.Equal(t, "http://gitlab-stub.steamer.svc.cluster.local:8080",
		dig(t, issuer, "initialize", 0, "gitlab-auth", "request", 1, "configure-jwt", "data", "bound_issuer"),
		"the discovery URL stands in")
	extra := bootstrapConfig(t, `config: {initialize: {extra: [{more: {request: []}}]}}`)
	require.Contains(t, dig(t, extra, "initialize", 1), "more")
}

// TestBootstrapConfigStaysInside checks that the initialising process is reachable by nobody else
// and asks GitLab nothing.
func TestBootstrapConfigStaysInside(t *testing.T) {
	t.Parallel()
	config := bootstrapConfig(t,
		`{openbaoVersion: 2.5.0, config: {audit: {http: {enabled: true, streamingUri: "http://w/a"}}}}`)
	require.Len(t, config["listener"], 1)
	require.Equal(t, "127.0.0.1:8200", dig(t, config, "listener", 0, "tcp", "address"))
	require.NotContains(t, config, "service_registration")
	require.Len(t, config["audit"], 1)
	require.Equal(t, "file", dig(t, config, "audit", 0, "type"))
}

// TestConnectionURL reads the URL back with pgx, the driver OpenBao uses.
func TestConnectionURL(t *testing.T) {
	t.Parallel()
	at := func(t *testing.T, connection string) string {
		t.Helper()
		config := serverConfig(t, "config: {storage: {postgresql: {connection: "+connection+"}}}")
		return dig(t, config, "storage", "postgresql", "connection_url").(string)
	}
	t.Run("awkward names", func(t *testing.T) {
		t.Parallel()
		got, err := pgconn.ParseConfig(at(t, `{username: "u s:e/r@+", database: "d/b ?#+",
			parameters: {search_path: "a b&c", application_name: 7}}`))
		require.NoError(t, err)
		require.Equal(t, "u s:e/r@+", got.User)
		require.Equal(t, "d/b ?#+", got.Database)
		require.Equal(t, map[string]string{"search_path": "a b&c", "application_name": "7"}, got.RuntimeParams)
		require.Empty(t, got.Password, "the password comes from PGPASSWORD")
	})
	t.Run("IPv6 host", func(t *testing.T) {
		t.Parallel()
		got, err := pgconn.ParseConfig(at(t, `{host: "fd00::1", port: 6432}`))
		require.NoError(t, err)
		require.Equal(t, "fd00::1", got.Host)
		require.EqualValues(t, 6432, got.Port)
		require.Empty(t, got.RuntimeParams, "PostgreSQL refuses run-time parameters it does not know")
	})
	t.Run("verify-full", func(t *testing.T) {
		t.Parallel()
		got, err := url.Parse(at(t, `{sslMode: verify-full, connectTimeout: 9,
			sslRootCert: {configMap: ca, key: root.pem}, sslClientCert: {secret: c}}`))
		require.NoError(t, err)
		require.Equal(t, url.Values{
			"sslmode":         {"verify-full"},
			"connect_timeout": {"9"},
			"sslrootcert":     {"/srv/openbao/postgresql/ca/root.pem"},
			"sslcert":         {"/srv/openbao/postgresql/client/tls.crt"},
			"sslkey":          {"/srv/openbao/postgresql/client/tls.key"},
		}, got.Query())
	})
	t.Run("no time limit", func(t *testing.T) {
		t.Parallel()
		require.NotContains(t, at(t, `{connectTimeout: 0}`), "connect_timeout")
	})
}
