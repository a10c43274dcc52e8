package charts_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBadValues checks that a mistake is refused with a message that names it.
func TestBadValues(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, chart, values, want string }{
		{"unknown key", "openbao", `config: {storage: {postgresql: {maxParalel: 3}}}`, "maxParalel"},
		{
			"table is a name, not a switch", "openbao", `config: {storage: {postgresql: {table: true}}}`,
			"/config/storage/postgresql/table",
		},
		{
			"no connections", "openbao", `config: {storage: {postgresql: {maxParallel: 0}}}`,
			"/config/storage/postgresql/maxParallel",
		},
		{
			"unknown sslmode", "openbao", `config: {storage: {postgresql: {connection: {sslMode: on}}}}`,
			"/config/storage/postgresql/connection/sslMode",
		},
		{
			"verify-full without a CA", "openbao", `config: {storage: {postgresql: {connection: {sslMode: verify-full}}}}`,
			"needs sslRootCert",
		},
		{
			"no issuer", "openbao", `config: {initialize: {oidcDiscoveryUrl: ""}}`,
			"config.initialize.oidcDiscoveryUrl is required",
		},
		{
			"no audience", "openbao", `config: {initialize: {boundAudiences: []}}`,
			"config.initialize.boundAudiences is required",
		},
		{
			"http audit without an address", "openbao", `config: {audit: {http: {enabled: true}}}`,
			"config.audit.http.streamingUri is required",
		},
		{"TLS without a certificate", "openbao", `config: {tlsDisable: false}`, "tlsSecretName is required"},
		{
			"previous key without its Secret", "openbao", `config: {unseal: {static: {previousKeyId: old}}}`,
			"previousKeySecret is required",
		},
		{"volumes that are no list", "openbao", `extraVolumes: "a: b"`, "extraVolumes has to be a YAML list"},
		{
			"nobody provides the unseal key", "openbao", `staticUnsealSecret: {generate: false}`,
			"config.unseal.static: no key",
		},
		{
			"nobody provides the audit token", "openbao",
			`{openbaoVersion: 2.5.0, httpAuditSecret: {generate: false},
				config: {audit: {http: {enabled: true, streamingUri: "http://w"}}}}`, "config.audit.http: no token",
		},
		{
			"http audit that the version does not have", "openbao",
			`config: {audit: {http: {enabled: true, streamingUri: "http://w"}}}`, "2.4.0 has no http audit device",
		},
		{
			"metrics alone, which the version cannot do", "openbao", `config: {metricsListener: {metricsOnly: true}}`,
			"needs OpenBao 2.5.0: 2.4.0 would serve the whole API",
		},
		{
			"keepalives that the driver cannot set", "openbao",
			`config: {storage: {postgresql: {connection: {keepalivesIdle: 60}}}}`, "parameters.tcp_keepalives_idle",
		},
		{
			"a rollout that replaces nothing", "openbao", `strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0%}}`,
			"no pod could ever be replaced",
		},
		{
			"a rollout that stops every pod", "openbao", `strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 2}}`,
			"a rollout would stop them all",
		},
		{
			"passthrough of no TLS", "openbao", `ingress: {enabled: true, sslPassthroughNginx: true}`,
			"needs config.tlsDisable: false",
		},
		{
			"a right for every pod of the namespace", "openbao", `serviceAccount: {create: false}`,
			"serviceAccount.name is required",
		},
		{
			"no time to give up the lock", "openbao", `terminationGracePeriodSeconds: 0`, "/terminationGracePeriodSeconds",
		},
		{"tier of no row", "openbao", `sizing: {tier: 7}`, "/sizing/tier"},
		{
			"filter without a sign", "openbao", `config: {telemetry: {prefixFilter: [route]}}`,
			"/config/telemetry/prefixFilter/0",
		},
		{"port out of range", "openbao", `serviceActive: {nodePort: 70000}`, "/serviceActive/nodePort"},
		{"connections as text", "postgresql", `maxConnections: many`, "/maxConnections"},
		{"root", "postgresql", `runAsUser: 0`, "/runAsUser"},
		{
			"private key", "gitlab-stub", `jwks: '{"keys":[{"kid":"x","kty":"RSA","d":"AQAB"}]}'`,
			`key "x" holds the private member "d"`,
		},
		{"symmetric key", "gitlab-stub", `jwks: '{"keys":[{"kid":"x","kty":"oct","k":"AQAB"}]}'`, `private member "k"`},
		{"no key set", "gitlab-stub", `jwks: 'no JSON'`, "mustFromJson"},
		{"fault that no control request takes", "gitlab-stub", `faults: {audit: {delay: soon}}`, "/faults/audit/delay"},
		{"fault of no endpoint", "gitlab-stub", `faults: {oidc: {}}`, "oidc"},
		{"pool of no mode", "postgresql", `pgbouncer: {poolMode: fast}`, "/pgbouncer/poolMode"},
		{"issuer that no token can match", "gitlab-stub", `issuer: http://stub/`, "/issuer"},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := input{chart: tt.chart, release: tt.chart, values: tt.values}
			if tt.chart == "openbao" {
				in.files = []string{cloudNative}
			}
			_, err := render(t, in)
			require.ErrorContains(t, err, tt.want)
		})
	}
}
