package chart_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
)

// made writes a chart of some files and loads it.
func made(t *testing.T, files map[string]string) *chart.Chart {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "made")
	if files["Chart.yaml"] == "" {
		files["Chart.yaml"] = "apiVersion: v2\nname: made\nversion: 1.0.0\n"
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	loaded, err := chart.Load(dir)
	require.NoError(t, err)
	return loaded
}

func documents(t *testing.T, c *chart.Chart, as chart.Rendering, values map[string]any) []chart.Document {
	t.Helper()
	renderer, err := c.Renderer()
	require.NoError(t, err)
	rendered, err := renderer.RenderDocuments(as, values)
	require.NoError(t, err)
	return rendered
}

// TestRenderDocuments splits what Helm would install, and leaves out notes, partials and empty
// documents.
func TestRenderDocuments(t *testing.T) {
	t.Parallel()
	c := made(t, map[string]string{
		"crds/a.yaml":         "kind: CRD",
		"templates/_x.tpl":    `{{- define "x" }}x{{ end }}`,
		"templates/NOTES.txt": "notes",
		"templates/a.yaml": "# only a comment\n---\na: {{ .Release.Name }}/{{ .Release.Namespace }}/{{ .Release.IsUpgrade " +
			"}}\n---\n\n---\n" +
			"b: {{ .Capabilities.KubeVersion.Version }} {{ .Release.Revision }}\n",
		"templates/b.yaml": "{{ if false }}c: d{{ end }}",
	})
	got := documents(t, c, chart.Rendering{Release: "r", Namespace: "n", Upgrade: true, KubeVersion: "1.36.3"}, nil)
	require.Equal(t, []chart.Document{
		{Template: "crds/a.yaml", Text: "kind: CRD"},
		{Template: "templates/a.yaml", Text: "a: r/n/true"},
		{Template: "templates/a.yaml", Text: "b: v1.36.3 2"},
	}, got)
}

// TestSubcharts has one set of values switch a sub-chart off without a trace in the next render.
func TestSubcharts(t *testing.T) {
	t.Parallel()
	c := made(t, map[string]string{
		"Chart.yaml": "apiVersion: v2\nname: made\nversion: 1.0.0\ndependencies: [{name: sub, version: 1.0.0, condition: " +
			"sub.enabled}]\n",
		"values.yaml":                    "sub: {enabled: true}\n",
		"templates/a.yaml":               "a: b",
		"charts/sub/Chart.yaml":          "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
		"charts/sub/templates/s.yaml":    "s: {{ .Values.n }}",
		"charts/sub/values.yaml":         "n: 1\n",
		"charts/sub/values.schema.json":  `{"type": "object", "properties": {"n": {"type": "integer"}}}`,
		"charts/sub/charts/.helmignore":  "",
		"charts/sub/templates/NOTES.txt": "notes",
	})
	renderer, err := c.Renderer()
	require.NoError(t, err)
	for _, on := range []bool{false, true, false} {
		got, err := renderer.RenderDocuments(chart.Rendering{Release: "r"},
			map[string]any{"sub": map[string]any{"enabled": on}})
		require.NoError(t, err)
		require.Len(t, got, map[bool]int{true: 2, false: 1}[on])
	}
	_, err = renderer.RenderDocuments(chart.Rendering{Release: "r"}, map[string]any{"sub": map[string]any{"n": "one"}})
	require.ErrorIs(t, err, chart.ErrValues)
	require.ErrorContains(t, err, "/n")
}

// TestErrValues tells a schema's refusal from a template's failure; both are bad input.
func TestErrValues(t *testing.T) {
	t.Parallel()
	c := made(t, map[string]string{
		"values.yaml":        "n: 1\nremote: 1\n",
		"values.schema.json": `{"properties": {"n": {"type": "integer"}, "remote": {"$ref": "https://schemas.example/a.json#/definitions/b"}}}`,
		"templates/a.yaml":   "a: 1\nb: {{ required \"n is too small\" (ternary \"\" \"b\" (lt (int .Values.n) 1)) }}\n",
	})
	renderer, err := c.Renderer()
	require.NoError(t, err)
	require.Equal(t, []string{"https://schemas.example/a.json"}, renderer.RemoteSchemas())
	_, err = renderer.RenderDocuments(chart.Rendering{Release: "r"}, map[string]any{"n": "many"})
	require.ErrorIs(t, err, chart.ErrValues)
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	require.ErrorContains(t, err, "/n")
	_, err = renderer.RenderDocuments(chart.Rendering{Release: "r"}, map[string]any{"n": 0})
	require.NotErrorIs(t, err, chart.ErrValues)
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	file, line := chart.TemplatePlace(err)
	require.Equal(t, "templates/a.yaml", file)
	require.Equal(t, 2, line)
}

// TestLookup finds objects by kind, namespace and name, and a Secret's clear text encoded, as a
// cluster would answer.
func TestLookup(t *testing.T) {
	t.Parallel()
	c := made(t, map[string]string{"templates/a.yaml": strings.Join([]string{
		`found: {{ (lookup "v1" "Secret" "n" "a").data.key | quote }}`,
		`missing: {{ lookup "v1" "Secret" "n" "b" | empty }}`,
		`otherNamespace: {{ lookup "v1" "Secret" "m" "c" | empty }}`,
		`otherKind: {{ lookup "v1" "ConfigMap" "n" "a" | empty }}`,
		`list: {{ len (lookup "v1" "Secret" "n" "").items }}`,
		`none: {{ len (lookup "v1" "Moon" "" "").items }}`,
	}, "\n")})
	secret := func(namespace, name string) map[string]any {
		return map[string]any{
			"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name, "namespace": namespace},
			"stringData": map[string]any{"key": "open"},
		}
	}
	got := documents(t, c, chart.Rendering{Release: "r", Existing: []map[string]any{secret("n", "a"), secret("x", "c")}},
		nil)
	require.Equal(t, "found: \"b3Blbg==\"\nmissing: true\notherNamespace: true\notherKind: true\nlist: 1\nnone: 0",
		got[0].Text)
}

// TestInstallable refuses what Helm would not install.
func TestInstallable(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ meta, want string }{
		"library":    {"type: library\n", "type library"},
		"kubernetes": {"kubeVersion: '>= 1.99.0-0'\n", "wants Kubernetes >= 1.99.0-0, not 1.37.2"},
		"dependency": {"dependencies: [{name: moon, version: 1.0.0}]\n", "moon"},
		"fits":       {"kubeVersion: '>= 1.30.0-0'\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			meta := "apiVersion: v2\nname: made\nversion: 1.0.0\n" + tc.meta
			require.NoError(t, os.WriteFile(filepath.Join(dir, "Chart.yaml"), []byte(meta), 0o600))
			c, err := chart.Load(dir) // which may refuse as well
			if err == nil {
				err = c.Installable("1.37.2")
			}
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// TestLint hears helm lint on a defect that only it sees, with the place.
func TestLint(t *testing.T) {
	t.Parallel()
	c := made(t, map[string]string{
		"values.yaml":        "a: 1\n",
		"values.schema.json": `{"properties": {"a": {"$ref": "https://schemas.example/a.json"}}}`,
		"templates/a.yaml":   "\n{{ include \"moon\" . }}\n",
	})
	messages, err := c.Lint("n", "1.37.2", nil)
	require.NoError(t, err)
	require.Len(t, messages, 1)
	require.True(t, messages[0].Error)
	require.Equal(t, "templates/a.yaml", messages[0].File)
	require.Equal(t, 2, messages[0].Line)
	require.Contains(t, messages[0].Text, "moon")
	require.NotContains(t, messages[0].Text, os.TempDir())
}
