package lint_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/lint"
)

func TestSeededRoutes(t *testing.T) {
	t.Parallel()
	ingress := func(old, replacement string) map[string]string {
		text := object("networking.k8s.io/v1", "Ingress",
			"  annotations: {nginx.ingress.kubernetes.io/backend-protocol: HTTP}\n"+
				"spec: {tls: [{hosts: [a.example]}], rules: [{host: a.example, http: {paths: [{path: /, "+
				"pathType: Prefix, backend: "+
				"{service: {name: '{{ .Release.Name | trunc 40 }}-small', port: {name: api}}}}]}}]}\n")
		require.Contains(t, text, old)
		files := servingText(sound(""), "")
		files[extra] = strings.Replace(text, old, replacement, 1)
		return files
	}
	route := func(matches string) map[string]string {
		files := servingText(sound(""), "")
		files[extra] = object("gateway.networking.k8s.io/v1", "HTTPRoute", "spec: {rules: [{matches: "+matches+
			", backendRefs: [{name: '{{ .Release.Name | trunc 40 }}-small', port: 8200}]}]}\n")
		return files
	}
	const name, paths = "Ingress/openbao-extra", "spec.rules[0].http.paths"
	defect := func(path, words, old, replacement string) seeded {
		return seeded{ingress(old, replacement), "wiring/routes", lint.Error, name, path, words}
	}
	requireSeeded(t, map[string]seeded{
		"exact":      defect(paths, "not all of OpenBao's API", "pathType: Prefix", "pathType: Exact"),
		"some paths": defect(paths, "not all of OpenBao's API", "path: /,", "path: /v1/sys,"),
		"other host": defect("spec.rules[0].host", "not among the hosts of tls, b.example", "hosts: [a.example]",
			"hosts: [b.example]"),
		"scheme": defect("metadata.annotations[nginx.ingress.kubernetes.io/backend-protocol]",
			"is HTTPS, but the listener has TLS off",
			"protocol: HTTP}", "protocol: HTTPS}"),
		"route": {
			route("[{path: {type: PathPrefix, value: /v1/sys}}]"), "wiring/routes", lint.Error, "HTTPRoute/openbao-extra",
			"spec.rules",
			"not all of OpenBao's API",
		},
	})
	for _, files := range []map[string]string{
		ingress("x", "x"), ingress("path: /,", "path: /v1/,"), ingress("hosts: [a.example]", "hosts: ['*.example']"),
		ingress("tls: [{hosts: [a.example]}], ", ""), route("[]"), route("[{path: {type: PathPrefix, value: /v1}}]"),
	} {
		requireNone(t, run(t, write(t, files), lint.Options{}), "wiring/routes")
	}
}

// switched is a server whose configuration depends on a value that is switched.
func switched(annotation string) map[string]string {
	files := servingText(sound("{{ if .Values.traced }}log_level = \"warn\"{{ end }}\n"), "")
	files["values.yaml"], files["values.schema.json"] = small["values.yaml"]+"traced: false\n", `{"type": "object"}`
	files[deployment] = strings.Replace(files[deployment], "    metadata:\n      labels",
		"    metadata:\n      annotations: {"+annotation+
			"}\n      labels", 1)
	return files
}

func TestSeededRestarts(t *testing.T) {
	t.Parallel()
	const values = "checksum/values: '{{ toRawJson .Values.greeting | sha256sum }}'"
	requireSeeded(t, map[string]seeded{
		"checksum of values": {
			switched(values), "wiring/restarts", lint.Error, smallDeployment, "spec.template.metadata.annotations",
			"go on with the old",
		},
	})
	replaced := switched(values)
	replaced[deployment] = strings.NewReplacer("kind: Deployment", "kind: StatefulSet", "spec:\n  replicas",
		"spec:\n  serviceName: a\n  updateStrategy: {type: OnDelete}\n  replicas").Replace(replaced[deployment])
	for _, files := range []map[string]string{
		switched(`checksum/config: '{{ include (print $.Template.BasePath "/server.yaml") . | sha256sum }}'`), replaced,
	} {
		requireNone(t, run(t, write(t, files), lint.Options{}), "wiring/restarts")
	}
}

func TestSeededAnnotations(t *testing.T) {
	t.Parallel()
	annotated := func(notes string) map[string]string {
		files := switched("prometheus.io/scrape: 'true', " + notes)
		files["templates/server.yaml"] = strings.Replace(files["templates/server.yaml"], "tls_disable", "telemetry {\n      "+
			"unauthenticated_metrics_access = true\n      }\n      tls_disable", 1)
		files["templates/server.yaml"] = strings.Replace(files["templates/server.yaml"],
			"{{ if .Values.traced }}log_level = \"warn\"{{ end }}", "", 1)
		return files
	}
	const place = "spec.template.metadata.annotations[prometheus.io/"
	defect := func(path, words, notes string) seeded {
		return seeded{annotated(notes), "wiring/scrape-annotations", lint.Error, smallDeployment, place + path, words}
	}
	const good = "prometheus.io/port: '8200', prometheus.io/path: /v1/sys/metrics"
	requireSeeded(t, map[string]seeded{
		"no listener": defect("port]", "no listener of OpenBao", strings.Replace(good, "8200", "8209", 1)),
		"path":        defect(".path", "is /metrics", strings.Replace(good, "/v1/sys/metrics", "/metrics", 1)),
		"scheme":      defect(".scheme", "speaks http", good+", prometheus.io/scheme: https"),
	})
	report := run(t, write(t, annotated(good)), lint.Options{})
	requireNone(t, report, "wiring/scrape-annotations")
}

func TestSeededAlerts(t *testing.T) {
	t.Parallel()
	filtered := sound("telemetry {\n  metrics_prefix = \"openbao\"\n  disable_hostname = true\n  prefix_filter = " +
		"[\"-openbao.core\", \"+openbao.core.unsealed\"]\n}\n")
	rules := func(list string) map[string]string {
		files := servingText(filtered, "")
		files[extra] = object("monitoring.coreos.com/v1", "PrometheusRule", "spec:\n  groups:\n    - name: a\n      rules:\n"+
			list+
			"        - {alert: Gone, expr: absent(openbao_core_unsealed)}\n")
		return files
	}
	alert := func(expr, more string) map[string]string {
		return rules("        - {alert: A, expr: '" + expr + "'" + more + "}\n")
	}
	defect := func(words, expr string) seeded {
		return seeded{
			alert(expr, ""), "wiring/alerts", lint.Error, "PrometheusRule/openbao-extra",
			"spec.groups[0].rules[0].expr", words,
		}
	}
	board := func(text string) map[string]string {
		files := servingText(filtered, "")
		files[extra] = object("v1", "ConfigMap", "data: {a.json: '"+text+"'}\n")
		return files
	}
	silent := alert("openbao_core_unsealed == 0", "")
	silent[extra] = strings.Replace(silent[extra], "absent(openbao_core_unsealed)", "openbao_core_unsealed == 0", 1)
	requireSeeded(t, map[string]seeded{
		"pods of a StatefulSet": defect("fits nothing of the release",
			`openbao_core_unsealed{pod=~"openbao-small-[0-9]+"} == 0`),
		"another container": defect("container=", `container_memory_working_set_bytes{container="openbao"} > 1`),
		"another namespace": defect("namespace=", `openbao_core_unsealed{namespace="vault"} == 0`),
		"dropped":           defect("which telemetry.prefix_filter drops", "openbao_core_active == 0"),
		"rate of a gauge":   defect("which is a gauge", "rate(openbao_core_unsealed[5m]) < 0"),
		"seconds": defect("in milliseconds, with 0.02",
			"rate(openbao_postgres_get_sum[5m]) / rate(openbao_postgres_get_count[5m]) > 0.02"),
		"microseconds": defect("in milliseconds, with 20000", `openbao_postgres_get{quantile="0.99"} > 20000`),
		"percent":      defect("which it never reaches", "(sum(a_bytes) / sum(b_bytes)) > 90"),
		"late": {
			alert("openbao_core_unsealed == 0", ", for: 12h, labels: {severity: critical}"), "wiring/alerts", lint.Error,
			"PrometheusRule/openbao-extra", "spec.groups[0].rules[0].for", "nobody hears of A before",
		},
		"silent": {
			silent, "wiring/alerts", lint.Warning, "PrometheusRule/openbao-extra", "spec.groups",
			"when every pod is gone",
		},
		"data source": {
			board(`{"panels": [{"expr": "up", "datasource": {"uid": "${source}"}}]}`), "wiring/alerts", lint.Error,
			"ConfigMap/openbao-extra",
			"data[a.json]", "${source}, which is no variable",
		},
		"panel": {
			board(`{"panels": [{"expr": "openbao_core_unsealed{pod=~\"vault-.+\"}"}]}`), "wiring/alerts", lint.Error,
			"ConfigMap/openbao-extra", "data[a.json].panels[0].expr", "fits nothing",
		},
	})
	for _, files := range []map[string]string{
		alert(`openbao_core_unsealed{namespace="{{ .Release.Namespace }}",pod=~"`+
			`{{ .Release.Name | trunc 40 }}-small-[a-z0-9]+-[a-z0-9]{5}"} == 0`,
			", for: 2m, labels: {severity: critical}"),
		alert("rate(openbao_postgres_get_sum[5m]) / rate(openbao_postgres_get_count[5m]) > 20", ""),
		alert("sum(a_bytes) / sum(b_bytes) > 0.9", ""),
		board(`{"templating": {"list": [{"name": "source"}]}, "panels": [{"expr": "openbao_core_unsealed{pod=~\"$pod\"}", ` +
			`"datasource": "${source}"}, {"expr": "rate(a[$__rate_interval])", "datasource": {"uid": "-- Mixed --"}}]}`),
	} {
		requireNone(t, run(t, write(t, files), lint.Options{}), "wiring/alerts")
	}
}

func TestSeededSecurityOfOperators(t *testing.T) {
	t.Parallel()
	client := func(env string) map[string]string {
		return edit(t, deployment, "          env:\n", "          env:\n"+env)
	}
	const skip, ca = "            - {name: BAO_SKIP_VERIFY, value: '1'}\n", "            - {name: BAO_CACERT, value: /a}\n"
	policy := func(port, from string) map[string]string {
		files := servingText(sound("telemetry { disable_hostname = true }\n"), "")
		files["templates/server.yaml"] = strings.Replace(files["templates/server.yaml"], "tls_disable",
			"cluster_address = \"[::]:8201\"\n      "+
				"telemetry {\n      unauthenticated_metrics_access = true\n      }\n      tls_disable", 1)
		files[extra] = object("networking.k8s.io/v1", "NetworkPolicy",
			"spec: {podSelector: {matchLabels: {app: small, release: "+
				"'{{ .Release.Name }}'}}, ingress: [{ports: [{port: api}], from: [{podSelector: {matchLabels: {a: b}}}]}, "+
				"{ports: [{port: "+port+"}]"+from+"}]}\n")
		return files
	}
	const own = ", from: [{podSelector: {matchLabels: {app: small, release: '{{ .Release.Name }}'}}}]"
	admits := func(kind, spec string) map[string]string {
		return add(object("admissionregistration.k8s.io/v1", kind, "spec: {"+spec+"}\n"))
	}
	role := object(rbacGroup, "Role", "rules: []\n") + "---\n" + object(rbacGroup, "RoleBinding",
		"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: '{{ .Release.Name | trunc 40 }}-extra'}\n"+
			"subjects: [SUBJECT]\n")
	binding := func(subject string) map[string]string { return add(strings.Replace(role, "SUBJECT", subject, 1)) }
	token := func() map[string]string {
		files := binding("{kind: ServiceAccount, name: used, namespace: '{{ .Release.Namespace }}'}")
		files[deployment] = strings.Replace(small[deployment], "automountServiceAccountToken: false",
			"automountServiceAccountToken: true", 1)
		return files
	}
	requireSeeded(t, map[string]seeded{
		"check switched off": {
			client(skip + ca), "security/clients", lint.Error, smallDeployment,
			"spec.template.spec.containers[0].env", "switches the check off",
		},
		"cluster port": {
			policy("8201", ", from: [{namespaceSelector: {}}]"), "security/peers", lint.Error, "NetworkPolicy/openbao-extra",
			"spec.ingress[1].from", "the cluster port",
		},
		"cluster port for all": {
			policy("8201", ""), "security/peers", lint.Error, "NetworkPolicy/openbao-extra",
			"spec.ingress[1].from", "the cluster port",
		},
		"metrics for all": {
			policy("api", ""), "security/peers", lint.Error, "NetworkPolicy/openbao-extra",
			"spec.ingress[1].from", "everybody may scrape",
		},
		"group of accounts": {
			binding("{kind: Group, apiGroup: rbac.authorization.k8s.io, name: " +
				"'system:serviceaccounts:{{ .Release.Namespace }}'}"),
			"security/rbac", lint.Error, "RoleBinding/openbao-extra", "subjects[0]", "binds system:serviceaccounts:",
		},
	})
	requireFinding(t, run(t, write(t, token()), lint.Options{}), "security/tokens", lint.Warning, smallDeployment,
		"spec.template.spec.automountServiceAccountToken", "a token of default")
	for _, kind := range []struct{ name, spec, path string }{
		{"ValidatingAdmissionPolicyBinding", "policyName: a, validationActions: [Audit]", "spec.validationActions"},
		{"ValidatingAdmissionPolicy", "failurePolicy: Ignore, validations: [{expression: 'true'}]", "spec.failurePolicy"},
	} {
		requireFinding(t, run(t, write(t, admits(kind.name, kind.spec)), lint.Options{}), "security/admission", lint.Warning,
			kind.name+"/openbao-extra", kind.path, "is let through")
	}
	for rule, files := range map[string]map[string]string{
		"security/clients":   client(ca),
		"security/peers":     policy("8201", own),
		"security/rbac":      binding("{kind: ServiceAccount, name: used, namespace: '{{ .Release.Namespace }}'}"),
		"security/admission": admits("ValidatingAdmissionPolicyBinding", "policyName: a, validationActions: [Deny]"),
	} {
		requireNone(t, run(t, write(t, files), lint.Options{}), rule)
	}
}

func TestSeededValuesOfOperators(t *testing.T) {
	t.Parallel()
	valued := func(values, old, replacement string) map[string]string {
		files := servingText(sound(""), "")
		require.Contains(t, files[deployment], old)
		files[deployment] = strings.Replace(files[deployment], old, replacement, 1)
		files["values.yaml"], files["values.schema.json"] = small["values.yaml"]+values, `{"type": "object"}`
		return files
	}
	const spec = "      automountServiceAccountToken: false\n"
	secret := func(name string) map[string]string {
		return valued("keySecret: ''\n", "          env:\n",
			"          env:\n            {{- with .Values.keySecret }}\n            - {name: A, "+
				"valueFrom: {secretKeyRef: {name: "+name+", key: a}}}\n            {{- end }}\n")
	}
	job := valued("priorityClassName: ''\n", spec, spec)
	job[extra] = object("v1", "ConfigMap", "data: {a: '{{ .Values.priorityClassName }}'}\n")
	schema := func(mode string) map[string]string {
		files := valued("config: {logLevel: info}\n", spec, spec+"      # {{ .Values.config.logLevel }}\n")
		files["values.schema.json"] = `{"type": "object", "properties": {"config": {"type": "object", ` + mode + `}}}`
		return files
	}
	const closed = `"additionalProperties": false, "properties": {"logLevel": `
	requireSeeded(t, map[string]seeded{
		"user of the database": {
			func() map[string]string {
				files := valued("config: {storage: {postgresql: {connection: {username: u, port: 5432}}}}\n", spec, spec)
				files["templates/server.yaml"] = strings.Replace(files["templates/server.yaml"], "u@db/x",
					"u@db:{{ .Values.config.storage.postgresql.connection.port }}/x", 1)
				files["templates/server.yaml"] += "# {{ .Values.config.storage.postgresql.connection.username }}\n"
				return files
			}(),
			"values/reach-pods", lint.Error, "", "config.storage.postgresql.connection.username",
			"does not reach the connection URL",
		},
		"only a ConfigMap": {
			job, "values/reach-pods", lint.Error, "", "priorityClassName",
			"does not reach the pods of Deployment/openbao-small",
		},
		"name of a Secret": {
			secret("{{ $.Release.Name }}"), "values/reach-pods", lint.Error, "", "keySecret",
			"comes out nowhere",
		},
		"nonsense": {
			schema(closed + `{"type": "string"}}`), "values/nonsense", lint.Warning, "", "config.logLevel",
			"takes moon",
		},
		"unknown key": {
			schema(closed + `{"enum": ["info"]}}`), "values/nonsense", lint.Warning, "", "",
			"unknown key at the top",
		},
		"fixed port": {
			edit(t, "templates/service.yaml", "targetPort: api", "targetPort: 8200"), "wiring/ports",
			lint.Warning, "Service/openbao-small", "spec.ports[0].targetPort", "declares port 8200",
		},
		"notes": {
			with(map[string]string{"templates/NOTES.txt": "Back up Secret {{ .Release.Name }}-unseal, " +
				"and ask {{ .Release.Name }}-small.\n"}),
			"helm/notes", lint.Warning, "", "", "names another-unseal",
		},
	})
	good := valued("priorityClassName: ''\n", spec, spec+"      priorityClassName: '{{ .Values.priorityClassName }}'\n")
	for _, files := range []map[string]string{
		good, secret("{{ . }}"),
		with(map[string]string{"templates/NOTES.txt": "Ask {{ .Release.Name }}-small-0, release {{ .Release.Name }}.\n"}),
		schema(`"properties": {"logLevel": {"enum": ["info"]}}`),
	} {
		report := run(t, write(t, files), lint.Options{})
		for _, rule := range []string{"values/reach-pods", "values/nonsense", "helm/notes"} {
			requireNone(t, report, rule)
		}
	}
}

// TestSeededOfOperators: what old rules find since they look at more.
func TestSeededOfOperators(t *testing.T) {
	t.Parallel()
	cluster := func(address, listener string) seeded {
		files := servingText(strings.Replace(sound(""), "  tls_disable", "  cluster_address = \"[::]:"+listener+
			"\"\n  tls_disable", 1),
			"            - {name: BAO_CLUSTER_ADDR, value: 'https://"+address+":8201'}\n            - {name: NAME, value: a}\n")
		return seeded{
			files, "server/addresses", lint.Error, smallDeployment, "spec.template.spec.containers[0].env[0].value", "",
		}
	}
	service, port := cluster("openbao-small", "8201"), cluster("$(NAME).a", "8202")
	service.words, port.words = "names Service/openbao-small", "hear one another at [8202]"
	requireSeeded(t, map[string]seeded{
		"address of a Service": service,
		"port of no listener":  port,
		"piped test": {
			add(object("v1", "Pod", strings.Replace(pod("      command: [sh, -c, 'bao status | tee /tmp/a']\n"), "spec:\n",
				"  annotations: {helm.sh/hook: test}\nspec:\n  restartPolicy: Never\n", 1))), "wiring/tests", lint.Error,
			"Pod/openbao-extra",
			"spec.containers", "end of its pipe",
		},
		"more than the limit": {
			add(object("v1", "Pod", pod("      resources: {requests: {memory: 2Gi}, limits: {memory: 1Gi}}\n"))), "kube/limits",
			lint.Error,
			"Pod/openbao-extra", "spec.containers[0].resources.requests.memory", "more than the limit of 1Gi",
		},
	})
	requireNone(t, run(t, write(t, cluster("$(NAME).a", "8201").files), lint.Options{}), "server/addresses")
}
