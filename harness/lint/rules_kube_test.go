package lint_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/lint"
)

// definedMoon is the small chart with a custom resource whose definition is in crds/.
func definedMoon(body string, apiVersion ...string) map[string]string {
	return with(map[string]string{
		extra: object(append(apiVersion, "moon.example/v1")[0], "Moon", body),
		"crds/moon.yaml": `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: moons.moon.example}
spec:
  group: moon.example
  scope: Namespaced
  names: {kind: Moon, plural: moons}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [phase]
              properties: {phase: {type: string}, day: {type: integer, maximum: 31}}
`,
	})
}

func TestSeededKube(t *testing.T) {
	t.Parallel()
	requireSeeded(t, map[string]seeded{
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
		"typed list": {
			add("apiVersion: v1\nkind: ConfigMapList\nitems:\n  - {metadata: {name: '{{ .Release.Name }}-l'}, " +
				"data: {a.json: '{'}}\n"), "config/syntax", lint.Error, "ConfigMap/openbao-l", "data[a.json]",
			"does not parse",
		},
		"list in a list": {
			add("apiVersion: v1\nkind: List\nitems:\n  - {apiVersion: v1, kind: List, items: [{apiVersion: v1, " +
				"kind: ConfigMap, metadata: {name: '{{ .Release.Name }}-l'}, data: {a.json: '{'}}]}\n"), "config/syntax",
			lint.Error,
			"ConfigMap/openbao-l", "data[a.json]", "does not parse",
		},
		"key twice in a list": {
			add("apiVersion: v1\nkind: List\nitems:\n  - {apiVersion: v1, kind: ConfigMap, " +
				"metadata: {name: '{{ .Release.Name | trunc 40 }}-l'}, data: {a: b}, data: {a: c}}\n"), "kube/yaml", lint.Error,
			"ConfigMap/openbao-l", "", "stands twice",
		},
		"no object in a list": {
			add("apiVersion: v1\nkind: List\nitems: [a]\n"), "kube/yaml", lint.Error, "List/", "", "an item that is no object",
		},
		"key twice in values.yaml": {
			valued("feature", "1\nfeature: 2", object("v1", "ConfigMap", "data: {a: '{{ .Values.feature }}'}\n")),
			"helm/values-schema", lint.Error, "", "", "has a key twice",
		},
		"server's configuration without an ending": {
			add(object("v1", "ConfigMap", "data: {config: 'listener \"tcp\" {'}\n")), "config/syntax", lint.Error,
			"ConfigMap/openbao-extra", "data[config]", "does not parse: ",
		},
		"JSON by tee in a script": {
			add(object("v1", "ConfigMap", "data: {run.sh: \"tee /c/a.json <<EOF\\n{\\nEOF\\n\"}\n")), "config/syntax",
			lint.Error,
			"ConfigMap/openbao-extra", "data[run.sh]", "does not parse: ",
		},
		"JSON in a hook of a container": {
			add(object("v1", "Pod", pod("      lifecycle: {postStart: {exec: {command: [sh, -c, "+
				"\"cat >/c/a.json <<EOF\\n{\\nEOF\\n\"]}}}\n"))), "config/syntax", lint.Error, "Pod/openbao-extra",
			"spec.containers[0].lifecycle.postStart.exec.command[2]", "does not parse: ",
		},
		"key twice in JSON": {
			add(object("v1", "ConfigMap", "data: {a.json: '{\"a\": {\"b\": 1, \"b\": 2}}'}\n")), "config/syntax", lint.Error,
			"ConfigMap/openbao-extra", "data[a.json]", `has a key twice, of which parsers keep one or refuse both: duplicate`,
		},
		"key twice in YAML": {
			add(object("v1", "ConfigMap", "data:\n  a.yaml: |\n    a: 1\n    ---\n    b: 1\n    b: 2\n")), "config/syntax",
			lint.Error, "ConfigMap/openbao-extra", "data[a.yaml]", `has a key twice`,
		},
		"HCL": {
			add(object("v1", "ConfigMap", "data: {a.hcl: 'listener \"tcp\" {'}\n")), "config/syntax", lint.Error,
			"ConfigMap/openbao-extra", "data[a.hcl]", "does not parse: ",
		},
		"JSON that goes on as HCL": {
			add(object("v1", "ConfigMap", "data: {a.hcl: '{\"ui\": false} ui = true'}\n")), "config/syntax", lint.Error,
			"ConfigMap/openbao-extra", "data[a.hcl]", "does not parse: ",
		},
		"HCL in a Secret": {
			add(object("v1", "Secret", "stringData: {a.hcl: 'listener \"tcp\" {'}\n")), "config/syntax", lint.Error,
			"Secret/openbao-extra", "stringData[a.hcl]", "does not parse",
		},
		"HCL in a variable": {
			add(object("v1", "Pod", pod("      env: [{name: BAO_LOCAL_CONFIG, value: 'listener \"tcp\" {'}]\n"))),
			"config/syntax",
			lint.Error, "Pod/openbao-extra", "spec.containers[0].env[0].value", "does not parse: ",
		},
		"HCL in a script": {
			add(object("v1", "Pod", pod("      args:\n        - |\n          cat >/c/a.hcl <<EOF\n"+
				"          listener \"tcp\" {\n"+
				"          EOF\n          bao server\n"))), "config/syntax", lint.Error, "Pod/openbao-extra",
			"spec.containers[0].args[0]", "does not parse: ",
		},
		"field of a custom resource": {
			definedMoon("spec: {phase: full, tide: high}\n"), "kube/custom", lint.Error, "Moon/openbao-extra", "spec.tide",
			"unknown field",
		},
		"type of a custom resource": {
			definedMoon("spec: {phase: 3}\n"), "kube/custom", lint.Error, "Moon/openbao-extra", "spec.phase",
			"must be of type string",
		},
		"range of a custom resource": {
			definedMoon("spec: {phase: full, day: 99}\n"), "kube/custom", lint.Error, "Moon/openbao-extra", "spec.day",
			"should be less than or equal to 31",
		},
		"missing in a custom resource": {
			definedMoon("spec: {day: 1}\n"), "kube/custom", lint.Error, "Moon/openbao-extra", "spec.phase", "Required",
		},
		"version of a custom resource": {
			definedMoon("# apiVersion\n", "moon.example/v2"), "kube/custom", lint.Error, "Moon/openbao-extra", "apiVersion",
			"has no version v2",
		},
	})
}

// TestCustomResourceFits: a custom resource that its definition in the chart takes has no finding,
// and is not named as unchecked.
func TestCustomResourceFits(t *testing.T) {
	t.Parallel()
	report := run(t, write(t, definedMoon("spec: {phase: full, day: 3}\n")), lint.Options{})
	requireNone(t, report, "kube/custom")
	requireNone(t, report, "kube/unchecked")
}

// TestEmptyLists: a list without items holds no object, and a custom kind that is named like a list
// is none.
func TestEmptyLists(t *testing.T) {
	t.Parallel()
	report := run(t, write(t, add("apiVersion: v1\nkind: ConfigMapList\nitems:\n---\napiVersion: v1\n"+
		"kind: List\nitems: []\n---\n"+object("moon.example/v1", "AllowList", "items: [a]\n"))), lint.Options{})
	require.True(t, report.Passed, text(t, report))
	require.Zero(t, report.Counts.Warnings, text(t, report))
}
