package lint_test

import (
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
		"false, readOnlyRootFilesystem: true, capabilities: " +
		"{drop: [ALL]}}\n" + container
}

const rbacGroup = "rbac.authorization.k8s.io/v1"

// Templates of the small chart that tests change or add.
const deployment, extra = "templates/deployment.yaml", "templates/extra.yaml"

// add returns the small chart with one more template.
func add(text string) map[string]string { return with(map[string]string{extra: text}) }

// valued returns the small chart with one more value and a template that may use it.
func valued(key, value, text string) map[string]string {
	return with(map[string]string{
		extra: text, "values.yaml": small["values.yaml"] + key + ": " + value + "\n",
		"values.schema.json": `{"type": "object"}`,
	})
}

// seeded is a chart with one defect, and the finding that it causes.
type seeded struct {
	files    map[string]string
	rule     string
	severity lint.Severity
	object   string
	path     string
	words    string
}

// requireSeeded seeds one defect at a time; the rule that is made for it reports it with object
// and path.
func requireSeeded(t *testing.T, defects map[string]seeded) {
	t.Helper()
	for name, tc := range defects {
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
