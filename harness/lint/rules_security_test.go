package lint_test

import (
	"strings"
	"testing"

	"gitlab.com/steamer/steamer/harness/lint"
)

func TestSeededSecurity(t *testing.T) {
	t.Parallel()
	requireSeeded(t, map[string]seeded{
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
	})
}
