package lint_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/lint"
)

// goodServer is a configuration in HCL without a defect.
const goodServer = `ui = false
listener "tcp" {
  address = "[::]:8200"
  tls_disable = true
}
storage "postgresql" {
  connection_url = "URL"
}
`

// serving is the small chart with OpenBao's configuration, whose database is at url, and variables
// (a list in flow style without brackets) in the container that mounts it.
func serving(url, env string) map[string]string {
	return servingText(strings.Replace(goodServer, "URL", url, 1), env)
}

func servingText(config, env string) map[string]string {
	changed := strings.Replace(small["templates/deployment.yaml"], "          env:\n",
		"          volumeMounts: [{name: config, mountPath: /c}]\n          env:\n"+env, 1)
	changed = strings.Replace(changed, "      containers:",
		"      volumes: [{name: config, configMap: {name: '{{ .Release.Name | trunc 40 }}-server'}}]\n      containers:", 1)
	indented := strings.ReplaceAll(strings.TrimSpace(config), "\n", "\n    ")
	return with(map[string]string{
		"templates/deployment.yaml": changed,
		"templates/server.yaml": "apiVersion: v1\nkind: ConfigMap\n" +
			"metadata: {name: '{{ .Release.Name | trunc 40 }}-server'}\n" +
			"data:\n  server.hcl: |\n    " + indented + "\n",
	})
}

const verifiedURL = "postgres://u@db/x?sslmode=verify-full&sslrootcert=/c/ca.crt&connect_timeout=5"

func TestSeededServer(t *testing.T) {
	t.Parallel()
	const object, path = "ConfigMap/openbao-server", "data[server.hcl]"
	good := strings.Replace(goodServer, "URL", verifiedURL, 1)
	settings := func(severity lint.Severity, words, text string) seeded {
		return seeded{servingText(text, ""), "server/settings", severity, object, path, words}
	}
	listeners := func(severity lint.Severity, words, text string) seeded {
		return seeded{servingText(text, ""), "server/listeners", severity, object, path, words}
	}
	env := func(name, value string) map[string]string {
		return servingText(good, "            - {name: "+name+", value: '"+value+"'}\n")
	}
	address := func(words string, files map[string]string) seeded {
		return seeded{
			files, "server/addresses", lint.Error, "Deployment/openbao-small",
			"spec.template.spec.containers[0].env[0].value", words,
		}
	}
	requireSeeded(t, map[string]seeded{
		"mistyped setting": settings(lint.Warning, "uii is no setting of OpenBao, which ignores it (line 1)",
			strings.Replace(good, "ui =", "uii =", 1)),
		"mistyped in a listener": settings(lint.Warning, "adddress is no setting of a listener",
			strings.Replace(good, "tls_disable", "adddress = \"x\"\n  tls_disable", 1)),
		"mistyped in telemetry": settings(lint.Warning, "metric_prefix is no setting of telemetry",
			good+"telemetry {\n  metric_prefix = \"a\"\n  disable_hostname = true\n}\n"),
		"two storages": settings(lint.Error, "only one block storage is permitted, there are 2",
			good+"storage \"inmem\" {}\n"),
		"type of a listener": settings(lint.Error, `a listener is of type "udp"`,
			good+"listener \"udp\" {}\n"),
		"role of a listener": settings(lint.Error, `a listener has the role "moon"`,
			strings.Replace(good, "tls_disable", "role = \"moon\"\n  tls_disable", 1)),
		"half TLS": listeners(lint.Warning, "one port of the API has TLS and another has not",
			good+"listener \"tcp\" {\n  address = \"[::]:8300\"\n  tls_cert_file = \"/a\"\n  tls_key_file = \"/b\"\n}\n"),
		"no certificate": listeners(lint.Error, "neither a certificate with its key nor ACME",
			good+"listener \"tcp\" {\n  address = \"127.0.0.1:8300\"\n}\n"),
		"scheme of a probe": {
			servingText(strings.Replace(good, "tls_disable = true", "tls_cert_file = \"/a\"\n  tls_key_file = \"/b\"", 1), ""),
			"server/listeners", lint.Error, "Deployment/openbao-small",
			"spec.template.spec.containers[0].readinessProbe.httpGet.scheme",
			"is HTTP, but the listener of port 8200 has TLS on",
		},
		"loopback":    address("leads every pod and client to itself", env("BAO_API_ADDR", "http://127.0.0.1:8200")),
		"unspecified": address("leads every pod and client to itself", env("BAO_CLUSTER_ADDR", "https://[::]:8201")),
		"scheme": address("has the scheme https, but the listener of port 8200 has TLS off",
			env("BAO_API_ADDR", "https://a:8200")),
		"no URL": address("is not a valid URL", env("BAO_API_ADDR", "a:b:8200")),
		"port of the pod": address("names port 8300 of the pod, on which no listener is",
			servingText(good, "            - {name: BAO_API_ADDR, value: 'http://$(NAME).a:8300'}\n"+
				"            - {name: NAME, value: a}\n")),
		"API's port": address("which is a listener's of the API", env("BAO_CLUSTER_ADDR", "https://a:8200")),
		"address in the configuration": {
			servingText(good+"api_addr = \"http://localhost:8200\"\n", ""), "server/addresses", lint.Error, object,
			path + ".api_addr", "leads every pod and client to itself",
		},
		"never verified": {
			serving("postgres://u@db/x?sslmode=require", ""), "server/database-tls", lint.Warning, object,
			path + ".storage.postgresql.connection_url", "is not verified: sslmode=require",
		},
		"asked and not rendered": {
			func() map[string]string {
				files := serving("postgres://u@db/x?sslmode=prefer", "")
				files["values.yaml"], files["values.schema.json"] = small["values.yaml"]+"sslMode: ''\n", `{"type": "object"}`
				files["ci/tls-values.yaml"] = "sslMode: verify-full\n"
				return files
			}(),
			"server/database-tls", lint.Error, object, path + ".storage.postgresql.connection_url",
			"has sslmode=prefer where the values ask for verify-full",
		},
	})
}

// TestServerIsClean: configurations that OpenBao takes have no finding, in HCL and in JSON, and
// what every pod overrides is not read.
func TestServerIsClean(t *testing.T) {
	t.Parallel()
	good := strings.Replace(goodServer, "URL", verifiedURL, 1)
	for name, files := range map[string]map[string]string{
		"HCL": servingText(good, ""),
		"JSON": servingText(
			`{"listener": [{"tcp": {"address": "[::]:8200", "tls_disable": true}}, {"tcp": {"address": "[::]:8300",
  "role": "metrics_only", "tls_cert_file": "/c/a", "tls_key_file": "/c/b"}}],
 "storage": {"postgresql": {"connection_url": "`+verifiedURL+`"}}}`, ""),
		"overridden": servingText(good+"api_addr = \"http://[::]:8200\"\n",
			"            - {name: BAO_API_ADDR, value: 'http://a:8200'}\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := run(t, write(t, files), lint.Options{})
			for _, rule := range lint.Rules() {
				if strings.HasPrefix(rule.ID, "server/") {
					requireNone(t, report, rule.ID)
				}
			}
		})
	}
}

// TestHCLIsRead: the rules about OpenBao's values read a configuration in HCL as well as in JSON.
func TestHCLIsRead(t *testing.T) {
	t.Parallel()
	files := serving(verifiedURL, "")
	files["templates/server.yaml"] = strings.Replace(files["templates/server.yaml"], "postgres://u@",
		"postgres://{{ .Values.config.storage.postgresql.connection.username }}@", 1)
	files["values.yaml"] = small["values.yaml"] +
		"config: {storage: {postgresql: {connection: {username: user, database: data}}}}\n"
	files["values.schema.json"] = `{"type": "object"}`
	report := run(t, write(t, files), lint.Options{})
	requireFinding(t, report, "openbao/url-escaping", lint.Error, "ConfigMap/openbao-server",
		"data[server.hcl].storage.postgresql.connection_url", "not escaped")
}

func TestSeededProbes(t *testing.T) {
	t.Parallel()
	const readiness = "spec.template.spec.containers[0].readinessProbe"
	probe := func(severity lint.Severity, path, words, probe string) seeded {
		return seeded{
			edit(t, deployment, "readinessProbe:\n            httpGet: {path: /, port: api}", probe), "wiring/probes", severity,
			"Deployment/openbao-small", path, words,
		}
	}
	tcp := servingText(strings.Replace(goodServer, "URL", verifiedURL, 1), "")
	tcp[deployment] = strings.Replace(tcp[deployment], "httpGet: {path: /, port: api}", "tcpSocket: {port: api}", 1)
	requireSeeded(t, map[string]seeded{
		"none": probe(lint.Warning, "spec.template.spec.containers", "no readinessProbe", "workingDir: /"),
		"true": probe(lint.Error, readiness+".exec", "cannot fail", "readinessProbe: {exec: {command: ['true']}}"),
		"or true": probe(lint.Error, readiness+".exec", "cannot fail",
			"readinessProbe: {exec: {command: [sh, -c, 'bao status || true']}}"),
		"exit 0": probe(lint.Error, readiness+".exec", "cannot fail",
			"readinessProbe: {exec: {command: [sh, -c, 'bao status; exit 0']}}"),
		"sealed": probe(lint.Error, readiness+".httpGet.path", "calls a sealed pod ready",
			"readinessProbe: {httpGet: {path: '/v1/sys/health?standbyok=true&sealedcode=204', port: api}}"),
		"standby": probe(lint.Error, "spec.template.spec.containers[0].livenessProbe.httpGet.path", "fails in a standby",
			"livenessProbe: {httpGet: {path: /v1/sys/health, port: api}}\n"+
				"          readinessProbe: {httpGet: {path: /, port: api}}"),
		"open port": {
			tcp, "wiring/probes", lint.Warning, "Deployment/openbao-small", readiness + ".tcpSocket",
			"which it is in a sealed pod",
		},
	})
}

func TestSeededMonitors(t *testing.T) {
	t.Parallel()
	server := func(template string) map[string]string {
		files := servingText(strings.Replace(goodServer, "URL", verifiedURL, 1)+
			"telemetry {\n  metrics_prefix = \"openbao\"\n  disable_hostname = true\n}\n", "")
		files[extra] = template
		return files
	}
	const monitoring = "monitoring.coreos.com/v1"
	requireSeeded(t, map[string]seeded{
		"port of pods": {
			add(object(monitoring, "PodMonitor", "spec: {selector: {matchLabels: {app: small}}, "+
				"podMetricsEndpoints: [{port: moon}]}\n")),
			"wiring/monitors", lint.Error, "PodMonitor/openbao-extra", "spec.podMetricsEndpoints[0].port", `named "moon"`,
		},
		"port of a Service": {
			func() map[string]string {
				files := edit(t, "templates/service.yaml", "metadata: {", "metadata: {labels: {app: small}, ")
				files[extra] = object(monitoring, "ServiceMonitor",
					"spec: {selector: {matchLabels: {app: small}}, endpoints: [{port: moon}]}\n")
				return files
			}(),
			"wiring/monitors", lint.Error, "ServiceMonitor/openbao-extra", "spec.endpoints[0].port", `named "moon"`,
		},
		"metric of an alert": {
			server(object(monitoring, "PrometheusRule",
				"spec: {groups: [{name: a, rules: [{alert: A, expr: 'vault_core_active == 0'}]}]}\n")),
			"wiring/monitors", lint.Error, "PrometheusRule/openbao-extra", "spec.groups[0].rules[0].expr",
			"asks for vault_core_active, but every metric begins with openbao_",
		},
		"metric of a dashboard": {
			server(object("v1", "ConfigMap", "data: {a.json: '"+
				"{\"panels\": [{\"expr\": \"vault_core_active{a=\\\"openbao_b\\\"}\"}]}'}\n")),
			"wiring/monitors", lint.Error, "ConfigMap/openbao-extra", "data[a.json].panels[0].expr",
			"asks for vault_core_active",
		},
	})
	const telemetry = "  telemetry {\n    unauthenticated_metrics_access = true\n  }"
	scraping := func(listener, endpoint string) map[string]string {
		files := servingText(listening(listener), "")
		files[extra] = object(monitoring, "PodMonitor",
			"spec: {selector: {matchLabels: {app: small}}, podMetricsEndpoints: ["+
				endpoint+"]}\n")
		return files
	}
	asking := func(place, words, listener, endpoint string) seeded {
		return seeded{
			scraping(listener, endpoint), "wiring/monitors", lint.Error, "PodMonitor/openbao-extra",
			"spec.podMetricsEndpoints[0]" + place, words,
		}
	}
	requireSeeded(t, map[string]seeded{
		"unknown metric": {
			server(object(monitoring, "PrometheusRule",
				"spec: {groups: [{name: a, rules: [{alert: A, expr: 'openbao_core_sealed_pods == 0'}]}]}\n")),
			"wiring/monitors", lint.Warning, "PrometheusRule/openbao-extra", "spec.groups[0].rules[0].expr",
			"openbao_core_sealed_pods, which OpenBao did not serve",
		},
		"path":  asking(".path", "is /metrics", telemetry, "{port: api}"),
		"plain": asking(".scheme", "listener speaks http", telemetry, "{port: api, path: /v1/sys/metrics, scheme: https}"),
		"token": {
			scraping("", "{port: api, path: /v1/sys/metrics}"), "wiring/monitors", lint.Warning, "PodMonitor/openbao-extra",
			"spec.podMetricsEndpoints[0]", "sends no token",
		},
	})
	for listener, endpoint := range map[string]string{
		telemetry: "{port: api, path: /v1/sys/metrics}",
		"":        "{port: api, path: /v1/sys/metrics, authorization: {type: Bearer}}",
	} {
		requireNone(t, run(t, write(t, scraping(listener, endpoint)), lint.Options{}), "wiring/monitors")
	}
	requireNone(t, run(t, write(t, server(object(monitoring, "PrometheusRule",
		"spec: {groups: [{name: a, rules: [{alert: A, expr: 'openbao_core_active{a=\"vault_b\"} == 0'}]}]}\n"))),
		lint.Options{}), "wiring/monitors")
}

// TestAddressesWithBrackets: a chart that has brackets in another case is not warned of.
func TestAddressesWithBrackets(t *testing.T) {
	t.Parallel()
	files := valued("family", "IPv4", object("v1", "Pod",
		pod("      env: [{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}, "+
			"{name: A, value: 'https://{{ ternary \"[$(IP)]\" \"$(IP)\" (eq .Values.family \"IPv6\") }}:8200'}]\n")))
	files["values.schema.json"] = `{"type": "object", "properties": {"family": {"enum": ["IPv4", "IPv6"]}}}`
	report := run(t, write(t, files), lint.Options{})
	requireNone(t, report, "wiring/addresses")
	require.True(t, report.Passed, text(t, report))
}
