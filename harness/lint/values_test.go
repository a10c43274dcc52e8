package lint_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/lint"
)

// monitor is a custom resource that templates keep from a cluster without its API.
const monitor = `{{ if .Values.monitor.enabled }}{{ if .Capabilities.APIVersions.Has "monitoring.example.com/v1" }}
apiVersion: monitoring.example.com/v1
kind: Monitor
metadata: {name: {{ .Release.Name | trunc 40 }}-small, labels: {{ toJson .Values.monitor.labels }}}
{{ end }}{{ end }}`

// secretLookup fails where the cluster has not the Secret that the chart wants.
const secretLookup = `{{ if not (lookup "v1" "Secret" .Release.Namespace "wanted") }}{{ fail "create Secret wanted first" }}{{ end }}
`

// TestValues has the check take values, sub-charts, the cluster's capabilities and lookups as Helm
// does.
func TestValues(t *testing.T) {
	t.Parallel()
	open := `{"type": "object"}`
	for name, tc := range map[string]struct {
		files  map[string]string
		has    []string // parts of the report
		hasNot []string
		passes bool
	}{
		"number of --set only": {map[string]string{"templates/deployment.yaml": strings.ReplaceAll(
			small["templates/deployment.yaml"], "{{ .Values.replicas }}",
			`{{ if kindIs "int64" .Values.replicas }}{{ .Values.replicas }}{{ else }}2{{ end }}`)}, []string{
			"values.yaml:1  replicas\n    does one thing in a values file",
		}, nil, true},
		"number of a values file only": {map[string]string{"templates/deployment.yaml": strings.ReplaceAll(
			small["templates/deployment.yaml"], "{{ .Values.replicas }}",
			`{{ if kindIs "int64" .Values.replicas }}2{{ else }}{{ .Values.replicas }}{{ end }}`)}, []string{
			"values.yaml:1  replicas\n    does one thing in a values file",
		}, nil, true},
		"number of both": {map[string]string{"templates/deployment.yaml": strings.ReplaceAll(
			small["templates/deployment.yaml"], "{{ .Values.replicas }}", `{{ int .Values.replicas }}`)}, nil, []string{
			"does one thing",
		}, true},
		"behind a capability": {map[string]string{
			"values.yaml":        small["values.yaml"] + "monitor: {enabled: false, labels: {}}\n",
			"values.schema.json": open, "templates/monitor.yaml": monitor,
		}, []string{"Monitor/openbao-small", "monitor.enabled=true with API group monitoring.example.com"}, []string{
			"changes nothing", "rendered nothing",
		}, true},
		"broken behind a capability": {map[string]string{
			"values.yaml":        small["values.yaml"] + "monitor: {enabled: false, labels: {}}\n",
			"values.schema.json": open, "templates/monitor.yaml": strings.Replace(monitor, "metadata:",
				"metadata: {}\nmetadata:", 1),
		}, []string{"a key stands twice"}, nil, false},
		"behind an old version": {map[string]string{
			"values.yaml":        small["values.yaml"] + "legacy: x\n",
			"values.schema.json": open,
			"templates/legacy.yaml": `{{ if semverCompare "<1.20-0" .Capabilities.KubeVersion.Version }}
apiVersion: v1
kind: ConfigMap
metadata: {name: legacy}
data: {a: {{ .Values.legacy }}}
{{ end }}`,
		}, []string{"templates/legacy.yaml\n    rendered nothing"}, []string{"changes nothing"}, true},
		"behind nothing that is tried": {map[string]string{
			"templates/never.yaml": `{{ if eq .Values.greeting "abracadabra" }}a: b{{ end }}`,
		}, []string{"templates/never.yaml\n    rendered nothing"}, nil, true},
		"looks up a Secret": {map[string]string{
			"templates/config.yaml": secretLookup + small["templates/config.yaml"],
		}, []string{"renders only where the cluster has Secret/wanted,"}, nil, true},
		"looks up what it needs more of": {map[string]string{
			"templates/config.yaml": secretLookup +
				`{{ if ne (lookup "v1" "Secret" .Release.Namespace "wanted").data.key "right" }}{{ fail "wrong" }}{{ end }}`,
		}, []string{"not checked, looks in the cluster for Secret/wanted"}, []string{"renders only"}, false},
		"looks up a key": {map[string]string{
			"templates/config.yaml": `{{ $s := lookup "v1" "Secret" .Release.Namespace "wanted" }}` +
				`{{ $_ := required "no key" $s.data.key }}` + "\n" + small["templates/config.yaml"],
		}, []string{"renders only where the cluster has Secret/wanted,"}, nil, true},
		"looks up one after the other": {map[string]string{
			"templates/config.yaml": secretLookup + strings.ReplaceAll(secretLookup, "wanted", "other") +
				small["templates/config.yaml"],
		}, []string{"renders only where the cluster has Secret/other, Secret/wanted,"}, nil, true},
		"looks up any": {map[string]string{
			"templates/config.yaml": `{{ $_ := (index (lookup "v1" "Node" "" "").items 0).metadata.name }}
` + small["templates/config.yaml"],
		}, []string{"renders only where the cluster has Node/any,"}, nil, true},
		"behind a definition": {
			map[string]string{
				"values.yaml":        small["values.yaml"] + "monitor: {enabled: false, labels: {}}\n",
				"values.schema.json": open, "templates/monitor.yaml": strings.Replace(monitor,
					`.Capabilities.APIVersions.Has "monitoring.example.com/v1"`,
					`lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "monitors.monitoring.example.com"`, 1),
			},
			[]string{"monitor.enabled=true with definitions of custom resources"},
			[]string{"changes nothing", "rendered nothing"},
			true,
		},
		"behind a capability of a variable": {map[string]string{
			"values.yaml":        small["values.yaml"] + "monitor: {enabled: false, labels: {}}\n",
			"values.schema.json": open, "templates/monitor.yaml": `{{ $api := printf "%s/v1" "monitoring.example.com" }}` +
				strings.Replace(monitor, `"monitoring.example.com/v1"`, "$api", 1),
		}, []string{"Monitor/openbao-small"}, []string{"changes nothing", "rendered nothing"}, true},
		"only with a capability": {map[string]string{
			"templates/config.yaml": `{{ if not (has "monitoring.example.com/v1" .Capabilities.APIVersions) }}` +
				`{{ fail "no" }}{{ end }}` + "\n" + small["templates/config.yaml"],
		}, []string{"renders only where the cluster has monitoring.example.com/v1,"}, nil, true},
		"behind Kubernetes' own kind": {map[string]string{
			"templates/budget.yaml": `{{ if .Capabilities.APIVersions.Has "policy/v1/PodDisruptionBudget" }}` + "\n" +
				object("policy/v1", "PodDisruptionBudget", "spec: {maxUnavailable: 1, selector: {matchLabels: {app: moon}}}\n") +
				"{{ end }}",
		}, []string{"selects no pods"}, nil, false},
		"behind an API that is gone": {map[string]string{
			"templates/budget.yaml": `{{ if .Capabilities.APIVersions.Has "policy/v1beta1" }}` + "\n" +
				object("policy/v1beta1", "PodDisruptionBudget", "spec: {}\n") + "{{ end }}",
		}, []string{"templates/budget.yaml\n    rendered nothing"}, nil, true},
		"number that is equal in YAML": {map[string]string{
			"values.yaml": strings.Replace(small["values.yaml"], "replicas: 1", "replicas: 2000000", 1),
		}, nil, []string{"does one thing"}, true},
		"fails for another reason": {map[string]string{
			"templates/config.yaml": `{{ $_ := lookup "v1" "Secret" .Release.Namespace "wanted" }}{{ fail "no" }}`,
		}, []string{"needs more values"}, []string{"wanted"}, false},
		"a sub-chart that is off": {map[string]string{
			"Chart.yaml":  small["Chart.yaml"] + "dependencies: [{name: sub, version: 1.0.0, condition: sub.enabled}]\n",
			"values.yaml": small["values.yaml"] + "sub: {enabled: false}\n", "values.schema.json": open,
			"charts/sub/Chart.yaml":         "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
			"charts/sub/values.schema.json": `{"additionalProperties": false}`,
			"charts/sub/templates/s.yaml":   "s: 1",
		}, nil, []string{"no case renders"}, true},
		"everything of the values": {map[string]string{
			"values.yaml": small["values.yaml"] + "whole: 1\n", "values.schema.json": open,
			"templates/whole.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name | trunc 40 }}-x}\n" +
				`data: {a: {{ get . (print "Val" "ues") | toJson | sha256sum }}}`,
		}, nil, []string{"whole"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := run(t, write(t, with(tc.files)), lint.Options{})
			got := text(t, report)
			require.Equal(t, tc.passes, report.Passed, got)
			for _, part := range tc.has {
				require.Contains(t, got, part)
			}
			findings, _, _ := strings.Cut(got, "\nValues: ")
			for _, part := range tc.hasNot {
				require.NotContains(t, findings, part)
			}
		})
	}
}

// TestListIndex: an index into a list of a values file reaches the check as it reaches Helm.
func TestListIndex(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"two.yaml": "extraEnv:\n- {name: FIRST, value: '1'}\n- {name: SECOND, value: '2'}\n",
	})
	values, err := chart.ReadOverrides([]string{filepath.Join(dir, "two.yaml")}, []string{"extraEnv[1].value=changed"})
	require.NoError(t, err)
	report := run(t, reference, lint.Options{
		Dialect: "gitlab", Values: values, Skip: map[string]string{"values/dead": "slow", "values/unexercised": "slow"},
	})
	require.True(t, report.Passed, text(t, report))
}

// TestValuesStay: a value deep in a map of the chart's stays alone; the chart's defaults are laid
// under it elsewhere only.
func TestValuesStay(t *testing.T) {
	t.Parallel()
	values, err := chart.ReadOverrides(nil, []string{"config.storage.postgresql.maxParallel=9"})
	require.NoError(t, err)
	run(t, reference, lint.Options{
		Dialect: "gitlab", Values: values, Skip: map[string]string{"values/dead": "slow", "values/unexercised": "slow"},
	})
}

// TestBadValues: values that the schema refuses are bad input, with every base.
func TestBadValues(t *testing.T) {
	t.Parallel()
	loaded, err := chart.Load(write(t, small))
	require.NoError(t, err)
	_, err = lint.Run(t.Context(), loaded, lint.Options{Dialect: lint.None, Values: map[string]any{"replicas": "many"}})
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	require.True(t, errors.Is(err, chart.ErrValues))
}

// TestBudget: a check that may use no time still renders the bases and runs every rule, and says
// what it left out.
func TestBudget(t *testing.T) {
	t.Parallel()
	report := run(t, write(t, edit(t, "templates/deployment.yaml", "small:1.0", "small:latest")), lint.Options{
		Budget: 1,
	})
	require.Contains(t, text(t, report), "not every switch and key was tried")
	require.Zero(t, report.Coverage.Alive)
	require.Equal(t, 3, len(report.Coverage.Untried))
	require.Empty(t, report.Coverage.Dead)
	require.False(t, report.Passed, "the tag latest was not found")
}
