package lint_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/lint"
)

func TestSeededLimits(t *testing.T) {
	t.Parallel()
	const container = "spec.containers[0]"
	service := func(spec string) map[string]string {
		return add(object("v1", "Service", "spec: {selector: {app: small}, "+spec+"}\n"))
	}
	of := func(path, words string, files map[string]string) seeded {
		kind := "Service"
		if strings.HasPrefix(path, "spec.containers") || strings.HasPrefix(path, "spec.volumes") || path == "spec.hostname" {
			kind = "Pod"
		}
		return seeded{files, "kube/limits", lint.Error, kind + "/openbao-extra", path, words}
	}
	requireSeeded(t, map[string]seeded{
		"port of 16 characters": of(container+".ports[0].name", "no more than 15",
			add(object("v1", "Pod", pod("      ports: [{name: a-port-too-long1, containerPort: 1}]\n")))),
		"port without letters": of(container+".ports[0].name", "at least one letter",
			add(object("v1", "Pod", pod("      ports: [{name: '80', containerPort: 1}]\n")))),
		"two ports of a name": of(container+".ports[1].name", "the port's name stands twice",
			add(object("v1", "Pod", pod("      ports: [{name: a, containerPort: 1}, {name: a, containerPort: 2}]\n")))),
		"port beyond the range": of(container+".ports[0].containerPort", "between 1 and 65535",
			add(object("v1", "Pod", pod("      ports: [{name: a, containerPort: 70000}]\n")))),
		"two mounts in a place": of(container+".volumeMounts[1].mountPath", "the mount stands twice",
			add(object("v1", "Pod", pod("      volumeMounts: [{name: a, mountPath: /a}, {name: a, mountPath: /a}]\n")+
				"  volumes: [{name: a, emptyDir: {}}]\n"))),
		"two volumes of a name": of("spec.volumes[1].name", "the volume's name stands twice",
			add(object("v1", "Pod", pod("")+"  volumes: [{name: a, emptyDir: {}}, {name: a, emptyDir: {}}]\n"))),
		"volume of 64 characters": of("spec.volumes[0].name", "no more than 63",
			add(object("v1", "Pod", pod("")+"  volumes: [{name: "+strings.Repeat("a", 64)+", emptyDir: {}}]\n"))),
		"host name": of("spec.hostname", "RFC 1123", add(object("v1", "Pod", pod("")+"  hostname: A_b\n"))),
		"node port": of("spec.ports[0].nodePort", "outside of the range from 30000 to 32767",
			service("type: NodePort, ports: [{port: 8200, targetPort: api, nodePort: 8200}]")),
		"ports of a Service of a name": of("spec.ports[1].name", "the port's name stands twice",
			service("ports: [{name: a, port: 1, targetPort: api}, {name: a, port: 2, targetPort: api}]")),
		"ports of a Service of a number": of("spec.ports[1].port", "the port stands twice",
			service("ports: [{name: a, port: 1, targetPort: api}, {name: b, port: 1, targetPort: api}]")),
		"ports without names": of("spec.ports[0].name", "several ports",
			service("ports: [{port: 1, targetPort: api}, {port: 2, targetPort: api}]")),
		"key of a ConfigMap": {
			add(object("v1", "ConfigMap", "data: {'a/b': c}\n")), "kube/limits", lint.Error, "ConfigMap/openbao-extra",
			"data[a/b]", "valid config key",
		},
		"host of an Ingress": {
			add(object("networking.k8s.io/v1", "Ingress", "spec: {rules: [{host: 'a_b.example'}]}\n")), "kube/limits",
			lint.Error, "Ingress/openbao-extra", "spec.rules[0].host", "RFC 1123",
		},
		"container of a long release": {
			add(object("v1", "Pod", strings.Replace(pod(""), "name: extra", "name: '{{ .Release.Name }}-container-x'", 1))),
			"kube/limits", lint.Error, "Pod/l" + strings.Repeat("o", 39) + "-extra", "spec.containers[0].name",
			"no more than 63",
		},
		"value of a selector": {
			edit(t, "templates/service.yaml", "app: small", "app: 'a/b'"), "kube/limits", lint.Error,
			"Service/openbao-small", "spec.selector[app]", "a valid label",
		},
	})
}

func TestSeededBudgets(t *testing.T) {
	t.Parallel()
	const name, selector = "PodDisruptionBudget/openbao-extra",
		"selector: {matchLabels: {app: small, release: '{{ .Release.Name }}'}}"
	budget := func(replicas, spec string) map[string]string {
		files := add(object("policy/v1", "PodDisruptionBudget", "spec: {"+spec+"}\n"))
		files["values.yaml"] = strings.Replace(small["values.yaml"], "replicas: 1", "replicas: "+replicas, 1)
		return files
	}
	of := func(severity lint.Severity, replicas, spec, path, words string) seeded {
		return seeded{budget(replicas, spec), "wiring/budgets", severity, name, path, words}
	}
	requireSeeded(t, map[string]seeded{
		"all pods":         of(lint.Error, "3", "minAvailable: 3, "+selector, "spec", "minAvailable is 3 of 3 pods"),
		"all in percent":   of(lint.Error, "3", "minAvailable: 70%, "+selector, "spec", "70% of 3 pods"),
		"none unavailable": of(lint.Error, "3", "maxUnavailable: 0, "+selector, "spec", "maxUnavailable is 0 of 3 pods"),
		"one pod":          of(lint.Warning, "1", "minAvailable: 1, "+selector, "spec", "1 of 1 pods"),
		"both fields":      of(lint.Error, "3", "minAvailable: 1, maxUnavailable: 1, "+selector, "spec", "refuses both"),
		"no selector":      of(lint.Error, "3", "minAvailable: 1", "spec.selector", "is missing"),
		"empty selector": of(lint.Error, "3", "minAvailable: 1, selector: {}", "spec.selector",
			"every pod of the namespace"),
		"two budgets": {
			with(map[string]string{
				extra: object("policy/v1", "PodDisruptionBudget", "spec: {maxUnavailable: 1, "+selector+"}\n") + "---\n" +
					strings.Replace(object("policy/v1", "PodDisruptionBudget", "spec: {maxUnavailable: 1, "+selector+"}\n"),
						"-extra", "-more", 1),
			}),
			"wiring/budgets", lint.Error, "PodDisruptionBudget/openbao-more", "spec.selector", "as " + name + " does",
		},
		"fewest of a scaler": {
			with(map[string]string{
				extra: object("policy/v1", "PodDisruptionBudget", "spec: {minAvailable: 2, "+selector+"}\n") + "---\n" +
					object("autoscaling/v2", "HorizontalPodAutoscaler", "spec: {minReplicas: 2, maxReplicas: 4, scaleTargetRef: "+
						"{apiVersion: apps/v1, kind: Deployment, name: '{{ .Release.Name | trunc 40 }}-small'}}\n"),
			}),
			"wiring/budgets", lint.Error, name, "spec", "minAvailable is 2 of 2 pods",
		},
	})
}

// TestBudgetThatWorks: a budget that lets one of several pods go has no finding.
func TestBudgetThatWorks(t *testing.T) {
	t.Parallel()
	files := add(object("policy/v1", "PodDisruptionBudget",
		"spec: {minAvailable: 50%, selector: {matchLabels: {app: small, release: '{{ .Release.Name }}'}}}\n"))
	files["values.yaml"] = strings.Replace(small["values.yaml"], "replicas: 1", "replicas: 3", 1)
	report := run(t, write(t, files), lint.Options{Strict: true})
	require.True(t, report.Passed, text(t, report))
}

func TestSeededPolicies(t *testing.T) {
	t.Parallel()
	const name = "NetworkPolicy/openbao-extra"
	policy := func(spec string) map[string]string {
		return add(object("networking.k8s.io/v1", "NetworkPolicy", "spec: {podSelector: {matchLabels: {app: small}}, "+spec+
			"}\n"))
	}
	const dns = "{ports: [{port: 53, protocol: UDP}]}"
	withServer := func(egress string) map[string]string {
		files := serving("postgres://u@db:6432/x?sslmode=verify-full", "")
		files[extra] = object("networking.k8s.io/v1", "NetworkPolicy",
			"spec: {podSelector: {matchLabels: {app: small}}, policyTypes: [Egress], egress: ["+egress+"]}\n")
		return files
	}
	requireSeeded(t, map[string]seeded{
		"named port": {
			policy("ingress: [{}, {ports: [{port: moon}]}]"), "wiring/policies", lint.Error, name,
			"spec.ingress[1].ports[0].port", `no pod that it is about has a port named "moon"`,
		},
		"named port of peers": {
			policy("policyTypes: [Egress], egress: [{}, {ports: [{port: moon}], " +
				"to: [{podSelector: {matchLabels: {app: small}}}]}]"),
			"wiring/policies", lint.Error, name, "spec.egress[1].ports[0].port", `named "moon"`,
		},
		"port of a Service": {
			policy("ingress: [{ports: [{port: 9999}]}]"), "wiring/policies", lint.Error, name, "spec.ingress",
			"lets nobody reach port api of Deployment/openbao-small, to which Service/openbao-small leads",
		},
		"nobody": {
			policy("policyTypes: [Ingress]"), "wiring/policies", lint.Error, name, "spec.ingress", "lets nobody reach port api",
		},
		"other protocol": {
			policy("ingress: [{ports: [{port: api, protocol: UDP}]}]"), "wiring/policies", lint.Error, name, "spec.ingress",
			"lets nobody reach port api",
		},
		"names": {
			policy("policyTypes: [Egress], egress: [{ports: [{port: 53}]}]"), "wiring/policies", lint.Error, name,
			"spec.egress", "does not let Deployment/openbao-small reach the cluster's DNS",
		},
		"database": {
			withServer(dns + ", {ports: [{port: 5432}]}"), "wiring/policies", lint.Error, name, "spec.egress",
			"reach the database, TCP port 6432",
		},
	})
	for name, files := range map[string]map[string]string{
		"by name":   policy("ingress: [{ports: [{port: api}]}]"),
		"by number": policy("ingress: [{ports: [{port: {{ .Values.port }}}]}]"),
		"by range":  policy("ingress: [{ports: [{port: 8000, endPort: 9999}]}]"),
		"all":       policy("policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]"),
		"database":  withServer(dns + ", {ports: [{port: 6432}]}"),
	} {
		t.Run("allowed "+name, func(t *testing.T) {
			t.Parallel()
			requireNone(t, run(t, write(t, files), lint.Options{}), "wiring/policies")
		})
	}
}

// requireNone wants no finding of a rule.
func requireNone(t *testing.T, r *lint.Report, rule string) {
	t.Helper()
	for _, f := range r.Findings {
		require.NotEqual(t, rule, f.Rule, text(t, r))
	}
}
