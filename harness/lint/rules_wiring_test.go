package lint_test

import (
	"strings"
	"testing"

	"gitlab.com/steamer/steamer/harness/lint"
)

func TestSeededWiring(t *testing.T) {
	t.Parallel()
	requireSeeded(t, map[string]seeded{
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
		"variable defined later": {
			add(object("v1", "Pod", pod("      env: [{name: URL, value: 'a://$(PASS)@b'}, {name: PASS, value: b}]\n"))),
			"wiring/environment", lint.Error, "Pod/openbao-extra", "spec.containers[0].env[0].value", "defined later",
		},
		"variable defined nowhere": {
			add(object("v1", "Pod", pod("      env: [{name: URL, value: '$$(A) $(PASS)'}]\n"))),
			"wiring/environment", lint.Error, "Pod/openbao-extra", "spec.containers[0].env[0].value",
			"$(PASS), which the container does not define",
		},
		"variable of an argument": {
			add(object("v1", "Pod", pod("      args: ['-a=$(hostname)', '-b=$(PASS)']\n"))),
			"wiring/environment", lint.Error, "Pod/openbao-extra", "spec.containers[0].args[1]",
			"$(PASS), which the container does not define",
		},
		"variable of a mount": {
			add(object("v1", "Pod", pod("      volumeMounts: [{name: a, mountPath: /a, subPathExpr: $(node)}]\n"+
				"  volumes: [{name: a, emptyDir: {}}]\n"))), "wiring/environment", lint.Error, "Pod/openbao-extra",
			"spec.containers[0].volumeMounts[0].subPathExpr", "$(node), which the container does not define",
		},
		"variable that a ConfigMap has not": {
			add(object("v1", "Pod", pod("      envFrom: [{prefix: A_, configMapRef: "+
				"{name: '{{ .Release.Name | trunc 40 }}-small'}}]\n"+
				"      env: [{name: B, value: '$(A_greeting) $(greeting)'}]\n"))), "wiring/environment", lint.Error,
			"Pod/openbao-extra", "spec.containers[0].env[0].value", "$(greeting), which the container does not define",
		},
		"address by another variable": {
			add(object("v1", "Pod", pod("      env: [{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}, "+
				"{name: HOST, value: $(IP)}, {name: A, value: 'https://$(HOST)'}]\n"))),
			"wiring/addresses", lint.Warning, "Pod/openbao-extra", "spec.containers[0].env[2].value", "without brackets",
		},
		"address with a port": {
			add(object("v1", "Pod", pod("      env: [{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]\n"+
				"      args: ['--bind=$(IP):8200']\n"))),
			"wiring/addresses", lint.Warning, "Pod/openbao-extra", "spec.containers[0].args[0]", "without brackets",
		},
		"address in a hook of a container": {
			add(object("v1", "Pod", pod("      env: [{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]\n"+
				"      lifecycle: {preStop: {exec: {command: [sh, -c, 'curl http://${IP}:1/']}}}\n"))),
			"wiring/addresses", lint.Warning, "Pod/openbao-extra", "spec.containers[0].lifecycle.preStop.exec.command[2]",
			"without brackets",
		},
		"address in a file": {
			add(object("v1", "Pod", pod("      env: [{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]\n")) +
				"---\n" + object("v1", "ConfigMap", "data: {a: 'api_addr = \"http://$(IP):8200\"'}\n")),
			"wiring/addresses", lint.Warning, "ConfigMap/openbao-extra", "data[a]", "without brackets",
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
				"test}\n"+pod("  restartPolicy: Never\n"))),
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
		"cluster-wide name": {
			add(object(rbacGroup, "ClusterRole", "")), "wiring/releases", lint.Error, "ClusterRole/openbao-extra",
			"metadata.name", "the same name in a release of the same name in another namespace",
		},
		"cluster-wide name behind a switch": {
			valued("feature", "false", "{{ if .Values.feature }}\n"+object(rbacGroup, "ClusterRole", "")+"{{ end }}"),
			"wiring/releases", lint.Error, "ClusterRole/openbao-extra", "metadata.name", "in another namespace",
		},
		"cluster-wide custom resource": {
			add(object("moon.example/v1", "ClusterMoon", "")), "wiring/releases", lint.Error, "ClusterMoon/openbao-extra",
			"metadata.name", "in another namespace",
		},
		"name in another's namespace": {
			add(object("v1", "ConfigMap", "  namespace: kube-system\n")), "wiring/releases", lint.Error,
			"ConfigMap/openbao-extra", "metadata.name", "in another namespace",
		},
		"definition": {
			add(definedMoon("")["crds/moon.yaml"]), "wiring/releases", lint.Warning,
			"CustomResourceDefinition/moons.moon.example", "metadata.name", "in every release",
		},
	})
}

// TestClusterNamesWithNamespace: a cluster-wide name that holds the namespace touches no other
// release.
func TestClusterNamesWithNamespace(t *testing.T) {
	t.Parallel()
	report := run(t, write(t, add("apiVersion: "+rbacGroup+
		"\nkind: ClusterRole\nmetadata: {name: '{{ .Release.Namespace }}-"+
		"{{ .Release.Name }}'}\n")), lint.Options{})
	requireNone(t, report, "wiring/releases")
}

// TestKnownVariables: variables that the container has, or may have, and texts that are none, have
// no finding; nor have addresses in brackets or in names.
func TestKnownVariables(t *testing.T) {
	t.Parallel()
	report := run(t, write(t, add(object("v1", "Pod", pod("      env:\n"+
		"        - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}\n"+
		"        - {name: A, value: '$$(NO) $(cat /a) $(KUBERNETES_SERVICE_HOST) https://[$(IP)]:1 "+
		"http://a-$(IP).pod:1 $(IP)'}\n"+
		"      command: [sh, -c, 'echo $(hostname) $(A)']\n"))+"---\n"+
		strings.Replace(object("v1", "Pod", pod("      envFrom: [{secretRef: {name: a}}]\n"+
			"      env: [{name: OPTS, value: '$(OPTS) $(B)'}]\n")), "-extra", "-more", 1))), lint.Options{})
	requireNone(t, report, "wiring/environment")
	requireNone(t, report, "wiring/addresses")
}

// TestOtherReleases: what is in no namespace has another name in each, also behind an API group and
// where the cluster is looked at.
func TestOtherReleases(t *testing.T) {
	t.Parallel()
	for kind, template := range map[string]string{
		"ClusterIssuer": `{{ if .Capabilities.APIVersions.Has "cert-manager.io/v1" }}
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: '{{ .Release.Name }}'}
{{ end }}`,
		"NodePool": secretLookup + "apiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata: {name: '{{ .Release.Name }}'}\n",
	} {
		report := run(t, write(t, add(template)), lint.Options{})
		requireFinding(t, report, "wiring/releases", lint.Error, kind+"/openbao", "metadata.name", "in another namespace")
	}
	report := run(t, write(t, add("apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\n"+
		"metadata: {name: '{{ .Release.Name }}'}\n")), lint.Options{})
	requireNone(t, report, "wiring/releases")
}
