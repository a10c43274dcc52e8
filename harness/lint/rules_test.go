package lint_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/lint"
)

// object begins a document of a kind in the small chart, named after the release.
func object(apiVersion, kind, body string) string {
	return "apiVersion: " + apiVersion + "\nkind: " + kind +
		"\nmetadata:\n  name: {{ .Release.Name | trunc 40 }}-extra\n" + body
}

// pod is the spec of a pod that fits the level restricted, with one container and what follows in
// it.
func pod(container string) string {
	return "spec:\n  automountServiceAccountToken: false\n  securityContext: {runAsNonRoot: true, seccompProfile: " +
		"{type: " +
		"RuntimeDefault}}\n  containers:\n" +
		"    - name: extra\n      image: registry.example/extra:1.0\n      securityContext: {allowPrivilegeEscalation: " +
		"false, capabilities: " +
		"{drop: [ALL]}}\n" + container
}

const rbacGroup = "rbac.authorization.k8s.io/v1"

// TestSeeded seeds one defect at a time; the rule that is made for it reports it with object and
// path.
func TestSeeded(t *testing.T) {
	t.Parallel()
	const deployment, extra = "templates/deployment.yaml", "templates/extra.yaml"
	add := func(text string) map[string]string { return with(map[string]string{extra: text}) }
	valued := func(key, value, text string) map[string]string {
		return with(map[string]string{
			extra: text, "values.yaml": small["values.yaml"] + key + ": " + value + "\n",
			"values.schema.json": `{"type": "object"}`,
		})
	}
	for name, tc := range map[string]struct {
		files    map[string]string
		rule     string
		severity lint.Severity
		object   string
		path     string
		words    string
	}{
		"lint": {
			with(map[string]string{"Chart.yaml": strings.Replace(small["Chart.yaml"], "apiVersion: v2\n",
				"apiVersion: v2\ntype: \"\"\nsources: [not a url]\n", 1)}),
			"helm/lint", lint.Error, "", "", "not a url",
		},
		"ci values break": {
			with(map[string]string{
				"ci/a-values.yaml": "replicas: 3\n",
				extra:              `{{ if eq (int .Values.replicas) 3 }}{{ set "a" }}{{ end }}`,
			}),
			"helm/renders", lint.Error, "", "", "wrong number of args",
		},
		"switch breaks": {
			valued("feature", "false", `{{ if .Values.feature }}{{ index (list) 3 }}{{ end }}`), "helm/renders", lint.Error, "",
			"feature",
			"index out of range",
		},
		"ci values against schema": {
			with(map[string]string{"ci/a-values.yaml": "moon: 3\n"}), "helm/values-schema",
			lint.Error, "", "", "moon",
		},
		"no schema": {
			with(map[string]string{"values.schema.json": ""}), "helm/values-schema", lint.Warning,
			"", "", "no schema",
		},
		"remote schema": {
			with(map[string]string{"values.schema.json": `{"properties": {"port": {"$ref": "https://schemas.example/a.json#/b"}}}`}),
			"helm/values-schema", lint.Warning, "", "", "https://schemas.example/a.json",
		},
		"no mapping": {add("- a\n- b\n"), "kube/yaml", lint.Error, "", "", "no YAML mapping"},
		"key twice": {
			add(object("v1", "ConfigMap", "data: {a: b}\ndata: {a: c}\n")), "kube/yaml", lint.Error, "ConfigMap/openbao-extra",
			"", "stands twice",
		},
		"no name": {add("apiVersion: v1\nkind: ConfigMap\n"), "kube/yaml", lint.Error, "ConfigMap/", "", "no metadata.name"},
		"object twice": {
			add(object("v1", "ConfigMap", "---\n") + object("v1", "ConfigMap", "")), "kube/duplicates", lint.Error,
			"ConfigMap/openbao-extra", "metadata.name", "twice",
		},
		"unknown field": {
			edit(t, deployment, "replicas:", "replicaz:"), "kube/schema", lint.Error, "Deployment/openbao-small",
			"spec.replicaz", "unknown field",
		},
		"wrong type": {
			edit(t, deployment, "- name: small\n", "- name: small\n          terminationMessagePath: 3\n"), "kube/schema",
			lint.Error, "Deployment/openbao-small", "spec.template.spec.containers[0].terminationMessagePath",
			"has to be string",
		},
		"in a list": {add("apiVersion: v1\nkind: List\nitems:\n  - {apiVersion: v1, kind: ConfigMap, metadata: {name: '{{ " +
			".Release.Name " +
			"}}-l'}, dada: {}}\n"), "kube/schema", lint.Error, "ConfigMap/openbao-l", "dada", "unknown field"},
		"removed": {
			add(object("policy/v1beta1", "PodDisruptionBudget", "spec: {maxUnavailable: 1}\n")), "kube/deprecated", lint.Error,
			"PodDisruptionBudget/openbao-extra", "apiVersion", "replaced by policy/v1",
		},
		"deprecated": {
			add(object("v1", "Endpoints", "")), "kube/deprecated", lint.Warning, "Endpoints/openbao-extra", "apiVersion",
			"deprecated since 1.33",
		},
		"custom resource": {
			add(object("moon.example/v1", "Phase", "")), "kube/unchecked", lint.Info, "Phase/openbao-extra",
			"", "custom resource",
		},
		"long name": {
			add("apiVersion: v1\nkind: Service\nmetadata: {name: '{{ .Release.Name }}-a-long-suffix'}\n"),
			"kube/names", lint.Error, "Service/l" + strings.Repeat("o", 49) + "ong-a-long-suffix", "metadata.name",
			"no more than 63",
		},
		"label": {
			edit(t, deployment, "labels: {app: small, release: {{ .Release.Name }}}\nspec", "labels: {app: a/b}\nspec"),
			"kube/names", lint.Error, "Deployment/openbao-small", "metadata.labels[app]", "a valid label",
		},
		"config file": {
			valued("feature", "true", object("v1", "ConfigMap",
				"data:\n  a.json: '{\"a\": {{ if .Values.feature }}1{{ end }} }'\n")),
			"config/syntax", lint.Error, "ConfigMap/openbao-extra", "data[a.json]", "does not parse",
		},
		"own selector": {
			edit(t, deployment, "matchLabels: {app: small,", "matchLabels: {app: moon,"), "wiring/selectors", lint.Error,
			"Deployment/openbao-small", "spec.selector", "its own pods",
		},
		"service selector": {
			edit(t, "templates/service.yaml", "app: small", "app: moon"), "wiring/selectors", lint.Error,
			"Service/openbao-small", "spec.selector",
			"selects no pods",
		},
		"selector under another name": {
			edit(t, "templates/service.yaml", "release: {{ .Release.Name }}}", "release: openbao}"), "wiring/selectors",
			lint.Error,
			"Service/another-small", "spec.selector", "selects no pods",
		},
		"budget": {
			add(object("policy/v1", "PodDisruptionBudget", "spec: {maxUnavailable: 1, selector: {matchLabels: {app: moon}}}\n")),
			"wiring/selectors", lint.Error, "PodDisruptionBudget/openbao-extra", "spec.selector", "selects no pods",
		},
		"typed list": {
			add("apiVersion: v1\nkind: ConfigMapList\nitems:\n  - {metadata: {name: '{{ .Release.Name }}-l'}, " +
				"data: {a.json: '{'}}\n"), "config/syntax", lint.Error, "ConfigMap/openbao-l", "data[a.json]",
			"does not parse",
		},
		"variable defined later": {
			add(object("v1", "Pod", pod("      env: [{name: URL, value: 'a://$(PASS)@b'}, {name: PASS, value: b}]\n"))),
			"wiring/environment", lint.Error, "Pod/openbao-extra", "spec.containers[0].env[0].value", "defined later",
		},
		"variable defined nowhere": {
			add(object("v1", "Pod", pod("      env: [{name: URL, value: '$$(A) $(PASS)'}]\n"))),
			"wiring/environment", lint.Error, "Pod/openbao-extra", "spec.containers[0].env[0].value",
			"$(PASS), which the container does not define",
		},
		"address without brackets": {
			add(object("v1", "Pod", pod("      env: [{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}, "+
				"{name: BAO_API_ADDR, value: 'https://$(IP):8200'}]\n"))),
			"wiring/addresses", lint.Warning, "Pod/openbao-extra", "spec.containers[0].env[1].value", "without brackets",
		},
		"unready leader": {
			add(object("v1", "Service", "spec: {publishNotReadyAddresses: true, ports: [{port: 1}], "+
				"selector: {app: small, openbao-active: 'true'}}\n")),
			"wiring/unready-leader", lint.Error, "Service/openbao-extra", "spec.publishNotReadyAddresses", "not ready",
		},
		"network policy": {
			add(object("networking.k8s.io/v1", "NetworkPolicy", "spec: {podSelector: {matchLabels: {app: moon}}}\n")),
			"wiring/selectors", lint.Error, "NetworkPolicy/openbao-extra", "spec.podSelector", "selects no pods",
		},
		"pod monitor": {
			add(object("monitoring.coreos.com/v1", "PodMonitor", "spec: {selector: {matchLabels: {app: moon}}}\n")),
			"wiring/selectors", lint.Error, "PodMonitor/openbao-extra", "spec.selector", "selects no pods",
		},
		"scaler": {
			add(object("autoscaling/v2", "HorizontalPodAutoscaler",
				"spec: {maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: "+
					"Deployment, name: moon}}\n")),
			"wiring/selectors", lint.Error, "HorizontalPodAutoscaler/openbao-extra", "spec.scaleTargetRef", "Deployment/moon",
		},
		"hook pod": {
			add(object("v1", "Pod", "  labels: {app: small, release: {{ .Release.Name }}}\n  annotations: {helm.sh/hook: "+
				"test}\n"+pod(""))),
			"wiring/selectors", lint.Warning, "Service/openbao-small", "spec.selector", "hook Pod/openbao-extra",
		},
		"other release": {
			with(map[string]string{"templates/service.yaml": strings.Replace(small["templates/service.yaml"],
				", release: {{ .Release.Name }}", "", 1)}),
			"wiring/releases", lint.Error, "Service/openbao-small", "spec.selector", "another release",
		},
		"same name": {
			add("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fixed}\n"), "wiring/releases", lint.Error, "ConfigMap/fixed",
			"metadata.name", "every release",
		},
		"probe": {
			edit(t, deployment, "port: api}", "port: moon}"), "wiring/ports", lint.Error, "Deployment/openbao-small",
			"spec.template.spec.containers[0].readinessProbe.httpGet.port", `no port named "moon"`,
		},
		"target port": {
			edit(t, "templates/service.yaml", "targetPort: api", "targetPort: moon"), "wiring/ports", lint.Error,
			"Service/openbao-small",
			"spec.ports[0].targetPort", "moon",
		},
		"target number": {
			edit(t, "templates/service.yaml", "targetPort: api", "targetPort: 9999"), "wiring/ports", lint.Warning,
			"Service/openbao-small",
			"spec.ports[0].targetPort", "9999",
		},
		"ingress": {
			add(object("networking.k8s.io/v1", "Ingress",
				"spec: {defaultBackend: {service: {name: moon, port: {number: 80}}}}\n")),
			"wiring/ports", lint.Error, "Ingress/openbao-extra", "spec.defaultBackend", "Service/moon",
		},
		"ingress port": {
			add(object("networking.k8s.io/v1", "Ingress",
				"spec:\n  rules:\n    - http: {paths: [{path: /, pathType: Prefix, backend: {service: "+
					"{name: '{{ .Release.Name | trunc 40 }}-small', port: {name: moon}}}}]}\n")),
			"wiring/ports", lint.Error, "Ingress/openbao-extra", "spec.rules[0].http.paths[0].backend", "no port moon",
		},
		"route": {
			add(object("gateway.networking.k8s.io/v1", "HTTPRoute",
				"spec: {rules: [{backendRefs: [{name: '{{ .Release.Name | trunc 40 "+
					"}}-small', port: 81}]}]}\n")),
			"wiring/ports", lint.Error, "HTTPRoute/openbao-extra", "spec.rules[0].backendRefs[0]", "no port 81",
		},
		"config map missing": {
			edit(t, deployment, "{{ .Release.Name | trunc 40 }}-small, key", "moon, key"),
			"wiring/references", lint.Error, "Deployment/openbao-small",
			"spec.template.spec.containers[0].env[0].valueFrom.configMapKeyRef",
			"ConfigMap/moon",
		},
		"key missing": {
			edit(t, deployment, "key: greeting", "key: moon"),
			"wiring/references", lint.Error, "Deployment/openbao-small",
			"spec.template.spec.containers[0].env[0].valueFrom.configMapKeyRef", `no key "moon"`,
		},
		"secret missing": {
			edit(t, deployment, "      containers:",
				"      volumes: [{name: s, secret: {secretName: moon}}]\n      containers:"),
			"wiring/references", lint.Error, "Deployment/openbao-small", "spec.template.spec.volumes[0].secret.secretName",
			"no value names it",
		},
		"account missing": {
			edit(t, deployment, "      containers:", "      serviceAccountName: moon\n      containers:"),
			"wiring/references", lint.Error, "Deployment/openbao-small", "spec.template.spec.serviceAccountName",
			"ServiceAccount/moon",
		},
		"volume missing": {
			edit(t, deployment, "          env:", "          volumeMounts: [{name: moon, mountPath: /m}]\n          env:"),
			"wiring/references", lint.Error, "Deployment/openbao-small", "spec.template.spec.containers[0].volumeMounts[0].name",
			`no volume "moon"`,
		},
		"hook too early": {
			add(object("v1", "Pod", "  annotations: {helm.sh/hook: pre-install}\n"+
				pod("      envFrom: [{configMapRef: {name: '{{ .Release.Name "+
					"| trunc 40 }}-small'}}]\n"))),
			"wiring/hook-order", lint.Error, "Pod/openbao-extra", "spec.containers[0].envFrom[0].configMapRef",
			"creates after it",
		},
		"hook out of order": {
			add(object("v1", "Pod", "  annotations: {helm.sh/hook: pre-install}\n"+
				pod("      envFrom: [{configMapRef: {name: '{{ .Release.Name "+
					"| trunc 40 }}-extra'}}]\n")) +
				"---\n" + object("v1", "ConfigMap", "  annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: \"1\"}\n")),
			"wiring/hook-order", lint.Error, "Pod/openbao-extra", "spec.containers[0].envFrom[0].configMapRef",
			"does not come before",
		},
		"root": {
			edit(t, deployment, "runAsNonRoot: true, ", ""), "security/pod-security", lint.Error, "Deployment/openbao-small",
			"spec.template.spec",
			"runAsNonRoot != true",
		},
		"host network by a switch": {
			valued("host", "false", object("v1", "Pod", strings.Replace(pod(""), "spec:\n",
				"spec:\n  hostNetwork: {{ .Values.host }}\n", 1))),
			"security/pod-security", lint.Warning, "Pod/openbao-extra", "spec", "hostNetwork",
		},
		"latest": {
			edit(t, deployment, "small:1.0", "small:latest"), "security/images", lint.Error, "Deployment/openbao-small",
			"spec.template.spec.containers[0].image", "floats",
		},
		"no tag": {
			edit(t, deployment, "small:1.0", "small"), "security/images", lint.Error, "Deployment/openbao-small",
			"spec.template.spec.containers[0].image", "neither tag nor digest",
		},
		"bad image": {
			edit(t, deployment, "small:1.0", "Small:1.0"), "security/images", lint.Error, "Deployment/openbao-small",
			"spec.template.spec.containers[0].image", "no image reference",
		},
		"private key": {
			add(object("v1", "ConfigMap", "data: {a: '-----BEGIN RSA PRIVATE KEY-----'}\n")), "security/plaintext", lint.Error,
			"ConfigMap/openbao-extra", "data[a]", "a private key",
		},
		"password in a URL": {
			edit(t, deployment, "          env:", "          args: ['postgres://a:b@c/d']\n          env:"),
			"security/plaintext", lint.Error, "Deployment/openbao-small", "spec.template.spec.containers[0].args[0]",
			"password in a URL",
		},
		"literal token": {
			edit(t, deployment, "          env:\n", "          env:\n            - {name: BAO_TOKEN, value: root}\n"),
			"security/plaintext", lint.Error, "Deployment/openbao-small", "spec.template.spec.containers[0].env[0].value",
			"BAO_TOKEN",
		},
		"canary": {
			valued("dbPassword", `""`, object("v1", "ConfigMap", "data: {url: 'user={{ .Values.dbPassword }}'}\n")),
			"security/canary", lint.Error, "ConfigMap/openbao-extra", "data[url]", "dbPassword",
		},
		"role": {
			add(object(rbacGroup, "Role", "rules: [{apiGroups: [\"\"], resources: [pods, secrets], verbs: [get]}]\n")),
			"security/rbac", lint.Error, "Role/openbao-extra", "rules[0]", "get secrets",
		},
		"everything": {
			add(object(rbacGroup, "Role", "rules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]\n")), "security/rbac",
			lint.Error,
			"Role/openbao-extra", "rules[0]", "* *",
		},
		"cluster role": {
			add(object(rbacGroup, "ClusterRole", "rules: [{apiGroups: [\"\"], resources: [pods], verbs: [get]}]\n")),
			"security/rbac", lint.Error,
			"ClusterRole/openbao-extra", "rules[0]", "get pods",
		},
		"binding": {
			add(object(rbacGroup, "ClusterRoleBinding",
				"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "+
					"cluster-admin}\nsubjects: [{kind: Group, name: 'system:authenticated'}]\n")),
			"security/rbac", lint.Error, "ClusterRoleBinding/openbao-extra", "roleRef", "cluster-admin",
		},
		"binding to all": {
			add(object(rbacGroup, "ClusterRoleBinding",
				"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "+
					"cluster-admin}\nsubjects: [{kind: Group, name: 'system:authenticated'}]\n")),
			"security/rbac", lint.Error, "ClusterRoleBinding/openbao-extra", "subjects[0]", "system:authenticated",
		},
		"random": {
			edit(t, deployment, "      labels: {app: small",
				"      annotations: {roll: '{{ randAlpha 9 }}'}\n      labels: {app: small"),
			"upgrade/deterministic", lint.Error, "Deployment/openbao-small", "spec.template.metadata.annotations.roll",
			"differs between two renders",
		},
		"random secret": {
			add(object("v1", "Secret", "stringData: {key: '{{ randAlpha 9 }}'}\n")), "upgrade/secrets", lint.Error,
			"Secret/openbao-extra",
			"stringData.key", "generated again at each upgrade",
		},
		"secret kept by lookup": {
			add("{{- $name := printf \"%s-extra\" (.Release.Name | trunc 40) }}\n" + object("v1", "Secret",
				"data: {key: '{{ dig \"data\" \"key\" (randAlpha 9 | b64enc) (lookup \"v1\" \"Secret\" .Release.Namespace "+
					"$name) }}'}\n")),
			"upgrade/secrets", lint.Info, "Secret/openbao-extra", "", "lookup finds it",
		},
		"secret deleted": {
			add("{{- if not (lookup \"v1\" \"Secret\" .Release.Namespace (printf \"%s-extra\" .Release.Name)) }}\n" +
				object("v1", "Secret",
					"stringData: {key: '{{ randAlpha 9 }}'}\n") + "{{- end }}\n"),
			"upgrade/secrets", lint.Error, "Secret/openbao-extra", "", "Helm deletes it",
		},
		"upgrade differs": {
			edit(t, "templates/config.yaml", "{{ .Values.greeting }}", "{{ .Values.greeting }}{{ .Release.IsUpgrade }}"),
			"upgrade/stable", lint.Error, "ConfigMap/openbao-small", "data.greeting", "an upgrade changes it",
		},
		"upgrade removes": {
			add("{{ if .Release.IsInstall }}\n" + object("v1", "ConfigMap", "") + "{{ end }}"), "upgrade/stable", lint.Error,
			"ConfigMap/openbao-extra", "", "Helm deletes it",
		},
		"upgrade adds": {
			add("{{ if .Release.IsUpgrade }}\n" + object("v1", "ConfigMap", "") + "{{ end }}"), "upgrade/stable", lint.Error,
			"ConfigMap/openbao-extra", "", "only an upgrade",
		},
		"upgrade breaks": {
			add("{{ if .Release.IsUpgrade }}{{ fail \"no upgrades\" }}{{ end }}"), "upgrade/stable", lint.Error, "", "",
			"no upgrades",
		},
		"dead value": {
			valued("unused", "1", "{{/* nothing */}}"), "values/dead", lint.Warning, "", "unused",
			"changes nothing",
		},
		"unexercised": {small, "values/unexercised", lint.Info, "", "", "3 of 3 keys"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := run(t, write(t, tc.files), lint.Options{})
			requireFinding(t, report, tc.rule, tc.severity, tc.object, tc.path, tc.words)
			require.Equal(t, tc.severity != lint.Error, report.Passed,
				"only an error fails the check, and the defect is the only one")
		})
	}
}

// TestRefusedValueIsRead: a key whose every other value the templates refuse is not dead, also
// where it does nothing by default.
func TestRefusedValueIsRead(t *testing.T) {
	t.Parallel()
	report := run(t, write(t, with(map[string]string{
		"values.yaml":        small["values.yaml"] + "feature: false\nlimit: 1\n",
		"values.schema.json": `{"type": "object"}`,
		"templates/extra.yaml": "{{ if and .Values.feature (ne (int .Values.limit) 1) }}{{ fail \"limit\" }}{{ end }}{{ " +
			"if .Values.feature " +
			"}}\n" + object("v1", "ConfigMap", "") + "{{ end }}",
	})), lint.Options{})
	require.Equal(t, []string{"limit"}, report.Coverage.Untried, text(t, report))
	require.Empty(t, report.Coverage.Dead)
}
