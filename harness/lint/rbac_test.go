package lint_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/lint"
)

// TestAllowRBAC lets a file allow what is too much without it, and nothing more.
func TestAllowRBAC(t *testing.T) {
	t.Parallel()
	dir := write(t, with(map[string]string{
		"templates/extra.yaml": "apiVersion: " + rbacGroup + "\nkind: ClusterRoleBinding\n" +
			"metadata: {name: '{{ .Release.Namespace }}-{{ .Release.Name }}'}\n" +
			"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'system:auth-delegator'}\n---\n" +
			object(rbacGroup, "Role", "rules:\n  - {apiGroups: [\"\"], resources: [secrets], resourceNames: [a], verbs: "+
				"[get]}\n  - {apiGroups: "+
				"[\"\"], resources: [secrets], verbs: [get]}\n"),
	}))
	require.Equal(t, 3, run(t, dir, lint.Options{}).Counts.Errors)
	allow := filepath.Join(t.TempDir(), "allow.yaml")
	require.NoError(t, os.WriteFile(allow, []byte(
		"bindings: ['system:auth-delegator']\nnamespaced: [{apiGroups: [''], resources: "+
			"[secrets], resourceNames: [a, b], verbs: ['*']}]\n"), 0o600))
	report := run(t, dir, lint.Options{AllowRBAC: allow})
	require.Equal(t, 1, report.Counts.Errors, text(t, report))
	requireFinding(t, report, "security/rbac", lint.Error, "Role/openbao-extra", "rules[1]", "get secrets")
}

// TestPolicyOfHook: a network policy may be for the pods of a hook alone.
func TestPolicyOfHook(t *testing.T) {
	t.Parallel()
	report := run(t, write(t, with(map[string]string{
		"templates/extra.yaml": object("v1", "Pod",
			"  labels: {job: '{{ .Release.Name }}'}\n  annotations: {helm.sh/hook: test}\n"+pod("  restartPolicy: Never\n")) +
			"---\n" +
			object("networking.k8s.io/v1", "NetworkPolicy",
				"spec: {podSelector: {matchLabels: {job: '{{ .Release.Name }}'}}}\n"),
	})), lint.Options{Strict: true})
	require.True(t, report.Passed, text(t, report))
}

// TestOutside accepts references to what a value names or a flag makes optional.
func TestOutside(t *testing.T) {
	t.Parallel()
	report := run(t, write(t, with(map[string]string{
		"values.yaml":        small["values.yaml"] + "existingSecret: theirs\n",
		"values.schema.json": `{"type": "object"}`,
		"templates/extra.yaml": object("v1", "Pod",
			pod("      envFrom:\n        - secretRef: {name: '{{ .Values.existingSecret }}'}\n"+
				"        - configMapRef: {name: moon, optional: true}\n")),
	})), lint.Options{})
	require.True(t, report.Passed, text(t, report))
}
