package chart_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/chart"
)

// TestOverrides assigns as Helm does: over the files, and each assignment over those before it.
func TestOverrides(t *testing.T) {
	t.Parallel()
	const list = "env:\n- {name: A, value: '1'}\n- {name: B, value: '2'}\n"
	for name, tc := range map[string]struct {
		files, sets []string
		want        string
	}{
		"nothing": {nil, nil, "{}"},
		"one of a list": {
			[]string{list},
			[]string{"env[1].value=x"},
			"env: [{name: A, value: '1'}, {name: B, value: x}]",
		},
		"one more": {
			[]string{list},
			[]string{"env[2].name=C"},
			"env: [{name: A, value: '1'}, {name: B, value: '2'}, {name: C}]",
		},
		"two of one element":   {nil, []string{"t[0].key=k", "t[0].operator=Exists"}, "t: [{key: k, operator: Exists}]"},
		"a list in a list":     {[]string{"a: [{b: [1, 2]}]"}, []string{"a[0].b[0]=3"}, "a: [{b: [3, 2]}]"},
		"null":                 {[]string{"a: {b: 1, c: 2}"}, []string{"a.b=null"}, "a: {b: null, c: 2}"},
		"null in a file":       {[]string{"a: {b: 1}", "a: {b: null}"}, nil, "a: {b: null}"},
		"files: lists replace": {[]string{list, "env: []"}, nil, "env: []"},
		"many in one":          {[]string{"a: {b: 1}"}, []string{"a.c=2,d={x,y}"}, "a: {b: 1, c: 2}\nd: [x, y]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var files []string
			for _, text := range tc.files {
				file := filepath.Join(t.TempDir(), "values.yaml")
				require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
				files = append(files, file)
			}
			got, err := chart.ReadOverrides(files, tc.sets)
			require.NoError(t, err)
			text, err := yaml.Marshal(got)
			require.NoError(t, err)
			require.YAMLEq(t, tc.want, string(text))
		})
	}
}

// family is a chart with sub-charts in every form that values decide about.
func family() map[string]string {
	strict := `{"type": "object", "additionalProperties": false, "properties": {"count": {"type": "integer"}, ` +
		`"global": {}}}`
	return map[string]string{
		"Chart.yaml": `apiVersion: v2
name: made
version: 1.0.0
dependencies:
- {name: sub, version: 1.x.x, alias: first, condition: first.enabled}
- {name: sub, version: 1.x.x, alias: second, tags: [more]}
- {name: strict, version: 1.x.x, condition: wanted.strict}
`,
		"values.yaml": "first: {enabled: true}\ntags: {more: false}\nwanted: {strict: false}\nstrict: {moon: 1}\n" +
			"own: a\n",
		"templates/own.yaml":               "own: {{ .Values.own }}",
		"templates/all.yaml":               "{{ range $name, $_ := .Values }}{{ $name }}: 1\n{{ end }}",
		"charts/sub/Chart.yaml":            "apiVersion: v2\nname: sub\nversion: 1.0.0 # a comment\n",
		"charts/sub/values.yaml":           "count: 1\nlimits: {cpu: 1, memory: 2}\n",
		"charts/sub/values.schema.json":    `{"properties": {"count": {"type": "integer"}}}`,
		"charts/sub/templates/s.yaml":      "n: {{ .Values.count }}\nlimits: {{ toJson .Values.limits }}",
		"charts/strict/Chart.yaml":         "apiVersion: v2\nname: strict\nversion: 1.0.0\n",
		"charts/strict/values.schema.json": strict,
		"charts/strict/templates/x.yaml":   "x: {{ .Values.count }}",
		"charts/_README.md":                "helm package leaves this out",
	}
}

// TestValuesDecideAboutSubcharts: only the sub-charts that are on are rendered, and asked for
// their schemas, under their aliases; and what one set of values decides does not reach the next.
func TestValuesDecideAboutSubcharts(t *testing.T) {
	t.Parallel()
	c := made(t, family())
	type values = map[string]any
	for _, tc := range []struct {
		name    string
		values  values
		want    map[string]string // text by template
		refused string
	}{
		{"defaults", nil, map[string]string{"charts/first/templates/s.yaml": "n: 1\nlimits: {\"cpu\":1,\"memory\":2}"}, ""},
		{"null", values{"first": values{"limits": values{"cpu": nil}}}, map[string]string{
			"charts/first/templates/s.yaml": "n: 1\nlimits: {\"memory\":2}",
		}, ""},
		{"condition", values{"first": values{"enabled": false}}, map[string]string{}, ""},
		{"tag", values{"tags": values{"more": true}, "second": values{"count": 2}}, map[string]string{
			"charts/first/templates/s.yaml":  "n: 1\nlimits: {\"cpu\":1,\"memory\":2}",
			"charts/second/templates/s.yaml": "n: 2\nlimits: {\"cpu\":1,\"memory\":2}",
		}, ""},
		{"schema of an alias", values{"first": values{"count": "many"}}, nil, "first"},
		{"schema of what is on", values{"wanted": values{"strict": true}}, nil, "moon"},
		{
			"schema of what is off",
			values{"wanted": values{"strict": false}, "second": values{"count": "many"}},
			map[string]string{
				"charts/first/templates/s.yaml": "n: 1\nlimits: {\"cpu\":1,\"memory\":2}",
			},
			"",
		},
	} {
		renderer, err := c.Renderer()
		require.NoError(t, err)
		got, err := renderer.RenderDocuments(chart.Rendering{Release: "r"}, tc.values)
		if tc.refused != "" {
			require.ErrorIs(t, err, chart.ErrValues, tc.name)
			require.ErrorContains(t, err, tc.refused, tc.name)
			continue
		}
		require.NoError(t, err, tc.name)
		below := map[string]string{}
		for _, document := range got {
			if filepath.Dir(document.Template) != "templates" {
				below[document.Template] = document.Text
			}
		}
		require.Equal(t, tc.want, below, tc.name)
	}
}

// TestDigestOfFamily: a chart with sub-charts is the same as directory and as archive, and its
// sub-charts count.
func TestDigestOfFamily(t *testing.T) {
	t.Parallel()
	directory := made(t, family())
	archive, err := chart.Load(pack(t, directory.Info().Source))
	require.NoError(t, err)
	require.Equal(t, directory.Info().Digest, archive.Info().Digest)
	files := family()
	files["charts/sub/templates/s.yaml"] += "\n"
	require.NotEqual(t, directory.Info().Digest, made(t, files).Info().Digest)
}

// TestRenderChanged renders after a change what a whole render does, whichever way a template
// reads the value.
func TestRenderChanged(t *testing.T) {
	t.Parallel()
	files := family()
	for name, text := range map[string]string{
		"values.yaml": files["values.yaml"] + "key: a\ntext: '{{ .Values.key }}'\nnested: {key: b, other: c}\n" +
			"global: {g: 1}\nlist: [1]\n",
		"templates/_names.tpl": `{{ define "name" }}{{ .Values.key }}{{ end }}{{ define "outer" }}{{ ` +
			`include "name" . }}{{ end }}`,
		"templates/include.yaml":         `a: {{ include "outer" . }}`,
		"templates/template.yaml":        `a: {{ template "name" . }}`,
		"templates/index.yaml":           `a: {{ index .Values "key" }}`,
		"templates/with.yaml":            `{{ with .Values.nested }}a: {{ .key }}{{ end }}`,
		"templates/variable.yaml":        `{{ $v := .Values }}a: {{ $v.key }}`,
		"templates/tpl.yaml":             `a: {{ tpl .Values.text . }}`,
		"templates/checksum.yaml":        `a: {{ include (print $.Template.BasePath "/index.yaml") . | sha256sum }}`,
		"templates/computed.yaml":        `a: {{ include (printf "%s" "outer") . }}`,
		"templates/piped.yaml":           `a: {{ .Values.list | toJson }}`,
		"templates/many.yaml":            "a: 1\n---\nb: {{ .Values.own }}\n---\nc: 1\n",
		"templates/none.yaml":            `{{ if eq .Values.key "x" }}a: 1{{ end }}`,
		"templates/NOTES.txt":            `{{ .Values.key }}`,
		"templates/fails.yaml":           `a: {{ if eq .Values.own "bad" }}{{ fail "bad" }}{{ end }}`,
		"crds/z.yaml":                    "kind: CRD",
		"charts/sub/templates/g.yaml":    "g: {{ .Values.global.g }}",
		"charts/strict/templates/g.yaml": "g: {{ .Values.global.g }}",
	} {
		files[name] = text
	}
	renderer, err := made(t, files).Renderer()
	require.NoError(t, err)
	as := chart.Rendering{Release: "r", Namespace: "n"}
	before := chart.Rendered{Values: map[string]any{"tags": map[string]any{"more": true}}}
	before.Documents, err = renderer.RenderDocuments(as, before.Values)
	require.NoError(t, err)
	for name, change := range map[string]struct {
		path  []string
		value any
	}{
		"own": {[]string{"own"}, "y"}, "key": {[]string{"key"}, "x"}, "text": {[]string{"text"}, "{{ .Values.own }}"},
		"nested": {[]string{"nested", "key"}, "x"}, "unread": {[]string{"nested", "other"}, "x"},
		"list": {[]string{"list"}, []any{2}}, "sub": {[]string{"first", "count"}, 5}, "global": {[]string{"global", "g"}, 2},
		"switch": {[]string{"first", "enabled"}, false}, "new": {[]string{"moon"}, 1}, "fails": {[]string{"own"}, "bad"},
		"table of a sub-chart": {[]string{"second"}, map[string]any{"count": 4}}, "refused": {
			[]string{"first", "count"},
			"many",
		},
		"text that includes": {[]string{"text"}, `{{ include "outer" . }}`},
	} {
		values := set(before.Values, change.path, change.value)
		want, wantErr := renderer.RenderDocuments(as, values)
		got, err := renderer.RenderChanged(as, before, values, change.path)
		require.Equal(t, want, got, name)
		if wantErr != nil {
			require.EqualError(t, err, wantErr.Error(), name)
		}
		if wantErr == nil && name != "switch" { // which has other sub-charts on than before
			some := map[string]bool{
				"templates/index.yaml": true, "templates/checksum.yaml": true,
				"charts/first/templates/s.yaml": true,
			}
			only, err := renderer.RenderOnly(as, chart.Rendered{Values: values, Documents: before.Documents}, some)
			require.NoError(t, err)
			for _, document := range only {
				old := !some[document.Template] && slices.Contains(before.Documents, document)
				require.True(t, old || slices.Contains(want, document), "%s: %v", name, document)
			}
		}
		if naming, _, err := renderer.RenderNaming(as, before, values, change.path); err == nil && wantErr == nil {
			for _, document := range naming {
				require.True(t, slices.Contains(want, document) || slices.Contains(before.Documents, document), name)
			}
			// Other sub-charts are on, or a template reads values as a whole.
			same := slices.Equal(want, before.Documents) || name == "switch" || name == "new"
			require.Equal(t, same, slices.Equal(naming, before.Documents), name)
		}
	}
}

// set returns values with another one at a path.
func set(values map[string]any, path []string, value any) map[string]any {
	for i := len(path) - 1; i >= 0; i-- {
		value = map[string]any{path[i]: value}
	}
	return chart.Merge(values, value.(map[string]any))
}

// TestAPIVersions finds what templates ask the cluster for, except what Helm's client knows.
func TestAPIVersions(t *testing.T) {
	t.Parallel()
	c := made(t, map[string]string{
		"templates/_a.tpl": "{{ if .Capabilities.APIVersions.Has \"monitoring.example.com/v1/Monitor\" }}{{ end }}" +
			"{{- if and .Values.on\n  (has `other.example.com/v1beta1` .Capabilities.APIVersions) }}{{ end }}" +
			`{{ if .Capabilities.APIVersions.Has "policy/v1" }}{{ end }}`,
		"templates/a.yaml": `{{ if .Capabilities.APIVersions.Has "monitoring.example.com/v1" }}a: 1{{ end }}`,
		"templates/b.yaml": "{{ if .Values.b }}\napiVersion: plain.example.com/v1\nkind: B\n{{ end }}",
		"values.yaml":      "b: false\napi: value.example.com/v1\n",
	})
	renderer, err := c.Renderer()
	require.NoError(t, err)
	asked := renderer.APIVersions()
	require.Equal(t, []string{
		"monitoring.example.com/v1", "monitoring.example.com/v1/Monitor",
		"other.example.com/v1beta1", "plain.example.com/v1", "plain.example.com/v1/B", "value.example.com/v1",
	}, asked)
	require.Empty(t, documents(t, c, chart.Rendering{Release: "r"}, nil))
	require.Len(t, documents(t, c, chart.Rendering{Release: "r", APIVersions: asked}, nil), 1)
	deaf := made(t, map[string]string{"templates/a.yaml": `{{ "monitoring.example.com/v1" }}`})
	renderer, err = deaf.Renderer()
	require.NoError(t, err)
	require.Empty(t, renderer.APIVersions(), "no template asks")
}
