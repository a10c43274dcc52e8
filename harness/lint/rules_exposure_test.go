package lint_test

import (
	"strings"
	"testing"

	"gitlab.com/steamer/steamer/harness/lint"
)

// goodText is goodServer with a verified database.
var goodText = strings.Replace(goodServer, "URL", verifiedURL, 1)

// listening is goodText with more settings of its listener.
func listening(more string) string {
	return strings.Replace(goodText, "tls_disable = true", "tls_disable = true\n  "+more, 1)
}

// storing is goodText with more settings of its storage.
func storing(more string) string {
	return strings.Replace(goodText, "connection_url", more+"\n  connection_url", 1)
}

// andExtra adds a template to the files of a chart.
func andExtra(files map[string]string, template string) map[string]string {
	files[extra] = template
	return files
}

func TestSeededExposure(t *testing.T) {
	t.Parallel()
	const object, path = "ConfigMap/openbao-server", "data[server.hcl]"
	server := func(rule string, severity lint.Severity, place, words, text string) seeded {
		return seeded{servingText(text, ""), rule, severity, object, path + place, words}
	}
	requireSeeded(t, map[string]seeded{
		"everybody forwards": server("server/forwarded", lint.Error, "", "holds 0.0.0.0/0",
			listening(`x_forwarded_for_authorized_addrs = "10.0.0.0/8, 0.0.0.0/0"`)),
		"everybody of IPv6": server("server/forwarded", lint.Error, "", "holds ::/0",
			listening(`proxy_protocol_authorized_addrs = ["10.0.0.1", "::/0"]`)),
		"proxy protocol": server("server/forwarded", lint.Error, "", "use_always",
			listening(`proxy_protocol_behavior = "use_always"`)),
		"certificates of anybody": server("server/forwarded", lint.Error, "", "claim any certificate",
			listening(`x_forwarded_for_client_cert_keep_unauthorized = true`)),
		"debug": server("server/logs", lint.Error, ".log_level", "is debug", goodText+"log_level = \"debug\"\n"),
		"trace of a variable": {
			servingText(goodText, "            - {name: BAO_LOG_LEVEL, value: TRACE}\n"), "server/logs", lint.Error,
			"Deployment/openbao-small", "spec.template.spec.containers[0].env[0].value", "is trace",
		},
		"requests in the log": server("server/logs", lint.Warning, ".log_requests_level", "is info",
			goodText+"log_requests_level = \"info\"\n"),
		"raw audit": server("server/logs", lint.Error, ".audit", "tokens and secrets",
			goodText+"audit \"file\" \"stdout\" {\n  options {\n    log_raw = true\n  }\n}\n"),
		"requests for hours": server("server/requests", lint.Error, "", "may take 2h0m0s",
			listening(`max_request_duration = "2h"`)),
		"hours by default": server("server/requests", lint.Error, "", "may take 1h0m0s",
			goodText+"default_max_request_duration = 3600\n"),
		"no time":    server("server/requests", lint.Error, "", "2s only", listening("max_request_duration = 2")),
		"any size":   server("server/requests", lint.Error, "", "negative", listening("max_request_size = -1")),
		"a gigabyte": server("server/requests", lint.Error, "", "1024 MiB", listening("max_request_size = 1073741824")),
		"a kilobyte": server("server/requests", lint.Error, "", "1024 bytes", listening("max_request_size = 1024")),
		"impatient route": {
			andExtra(servingText(goodText, ""), "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"+
				"metadata: {name: '{{ .Release.Name | trunc 40 }}-extra'}\nspec: {rules: [{timeouts: {request: 10s}}]}\n"),
			"server/requests", lint.Warning, "HTTPRoute/openbao-extra", "spec.rules[0].timeouts.request", "gives up after 10s",
		},
		"transactions take all": server("server/pool", lint.Error, ".storage.postgresql.transaction_max_parallel", "8 of 8",
			storing("max_parallel = 8\n  transaction_max_parallel = 8")),
		"transactions by default": server("server/pool", lint.Error, ".storage.postgresql.transaction_max_parallel",
			"64 of 8",
			storing("max_parallel = 8")),
		"one connection": server("server/pool", lint.Error, ".storage.postgresql.max_parallel", "is 1",
			storing("max_parallel = 1")),
		"idle by default": server("server/pool", lint.Error, ".storage.postgresql.max_idle_connections", "2 of 32",
			storing("max_parallel = 32\n  transaction_max_parallel = 30")),
		"more than PostgreSQL grants": server("server/pool", lint.Warning, ".storage.postgresql.max_parallel",
			"200 connections",
			storing("max_parallel = 200\n  max_idle_connections = 200")),
		"any host's certificate": {
			serving("postgres://u@db/x?sslmode=verify-ca", ""), "server/database-tls", lint.Warning, object,
			path + ".storage.postgresql.connection_url", "name in the database's certificate",
		},
	})
	for name, text := range map[string]string{
		"proxies":  listening(`x_forwarded_for_authorized_addrs = "10.0.0.0/8,fc00::/7,192.0.2.1"`),
		"limits":   listening("max_request_duration = \"90s\"\n  max_request_size = 1048576") + "log_level = \"info\"\n",
		"off":      goodText + "log_requests_level = \"off\"\n",
		"the pool": storing("max_parallel = 32\n  transaction_max_parallel = 30\n  max_idle_connections = 32"),
	} {
		report := run(t, write(t, servingText(text, "")), lint.Options{})
		for _, rule := range []string{"server/forwarded", "server/logs", "server/requests", "server/pool"} {
			t.Log(name)
			requireNone(t, report, rule)
		}
	}
}

func TestSeededShutdown(t *testing.T) {
	t.Parallel()
	const place = "spec.template.spec.terminationGracePeriodSeconds"
	ending := func(grace, hook string) map[string]string {
		files := servingText(goodText, "")
		files[deployment] = strings.Replace(files[deployment], "      containers:", "      terminationGracePeriodSeconds: "+
			grace+
			"\n      containers:", 1)
		files[deployment] = strings.Replace(files[deployment], "          readinessProbe:",
			"          lifecycle: {preStop: {"+hook+"}}\n          readinessProbe:", 1)
		return files
	}
	requireSeeded(t, map[string]seeded{
		"all asleep": {
			ending("30", "exec: {command: [sh, -c, 'echo bye; sleep 30']}"), "wiring/shutdown", lint.Error,
			"Deployment/openbao-small", place, "preStop hook sleeps",
		},
		"three seconds": {
			ending("20", "sleep: {seconds: 17}"), "wiring/shutdown", lint.Error, "Deployment/openbao-small", place,
			"leaves OpenBao 3 s",
		},
	})
	requireNone(t, run(t, write(t, ending("30", "sleep: {seconds: 25}")), lint.Options{}), "wiring/shutdown")
}

func TestSeededTests(t *testing.T) {
	t.Parallel()
	hook := func(policy string, command ...string) map[string]string {
		body := pod("      " + command[0] + "\n  restartPolicy: " + policy + "\n")
		for _, more := range command[1:] {
			second := strings.ReplaceAll(pod("      "+more+"\n"), "name: extra", "name: second")
			_, second, _ = strings.Cut(second, "  containers:\n")
			body = strings.Replace(body, "  restartPolicy:", second+"  restartPolicy:", 1)
		}
		return add(object("v1", "Pod", "  annotations: {helm.sh/hook: test}\n"+body))
	}
	seed := func(words, command string) seeded {
		return seeded{hook("Never", command), "wiring/tests", lint.Error, "Pod/openbao-extra", "spec.containers", words}
	}
	const succeeds = "always succeeds"
	requireSeeded(t, map[string]seeded{
		"true":         seed(succeeds, "command: ['true']"),
		"or true":      seed(succeeds, "command: [sh, -c, 'bao status || true']"),
		"exit 0":       seed(succeeds, "command: [sh, -c, 'bao status; exit 0']"),
		"echo":         seed(succeeds, `command: [sh, -c, "bao status\necho done"]`),
		"arguments":    seed(succeeds, "args: [echo, fine]"),
		"no assertion": seed("--fail", "command: [sh, -c, 'curl -s http://openbao:8200/v1/sys/health']"),
		"again and again": {
			hook("OnFailure", "command: [bao, status]"), "wiring/tests", lint.Error, "Pod/openbao-extra", "spec.restartPolicy",
			"not Never",
		},
	})
	for _, commands := range [][]string{
		{"command: [bao, status]"},
		{"command: [sh, -c, 'curl -sf http://openbao:8200/v1/sys/health']"},
		{`command: [sh, -c, "set -e\nbao status\necho done"]`},
		{"command: [sh, -c, 'curl -s http://a | grep active']"},
		{"command: [sh, -c, 'until bao status; do sleep 1; done; echo done']"},
		{"workingDir: /"},
		{"command: ['true']", "command: [bao, status]"},
	} {
		requireNone(t, run(t, write(t, hook("Never", commands...)), lint.Options{}), "wiring/tests")
	}
}

func TestSeededKeyFiles(t *testing.T) {
	t.Parallel()
	mounting := func(secret, volume string, group bool) map[string]string {
		body := pod("  volumes: [{name: a, " + strings.ReplaceAll(volume, "SECRET", "'{{ .Release.Name | trunc 40 }}-"+secret+
			"'") + "}]\n")
		if group {
			body = strings.Replace(body, "RuntimeDefault}}", "RuntimeDefault}, fsGroup: 1}", 1)
		}
		return add(object("v1", "Pod", body) + "---\napiVersion: v1\nkind: Secret\nmetadata:\n" +
			"  name: {{ .Release.Name | trunc 40 }}-" + secret + "\nstringData: {tls.key: a}\n")
	}
	const of = "secret: {secretName: SECRET, items: [{key: tls.key, path: a}]"
	const place = "spec.volumes[0].secret.defaultMode"
	seed := func(severity lint.Severity, path, words string, files map[string]string) seeded {
		return seeded{files, "security/key-files", severity, "Pod/openbao-extra", path, words}
	}
	requireSeeded(t, map[string]seeded{
		"everybody reads": seed(lint.Warning, place, "mode 0644", mounting("extra", of+"}", true)),
		"one file": seed(lint.Warning, place, "mode 0444",
			mounting("extra", "secret: {secretName: SECRET, defaultMode: 0400, items: [{key: tls.key, path: a, mode: 0444}]}",
				true)),
		"projected": seed(lint.Warning, "spec.volumes[0].projected.defaultMode", "mode 0644",
			mounting("extra", "projected: {sources: [{secret: {name: SECRET, items: [{key: tls.key, path: a}]}}]}", false)),
		"its user cannot": seed(lint.Error, place, "no fsGroup", mounting("extra", of+", defaultMode: 0400}", false)),
		"the seal's":      seed(lint.Error, place, "mode 0644", mounting("unseal", "secret: {secretName: SECRET}", true)),
	})
	requireNone(t, run(t, write(t, mounting("extra", of+", defaultMode: 0400}", true)), lint.Options{}),
		"security/key-files")
}
