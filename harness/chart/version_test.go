package chart_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
)

// TestWithVersion renders a chart as another version of it, and leaves the chart as it was.
func TestWithVersion(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "small")
	for name, text := range map[string]string{
		"Chart.yaml": "apiVersion: v2\nname: small\nversion: 1.0.0\nappVersion: \"1.0\"\n" +
			"annotations: {kept: \"yes\"}\n",
		"values.yaml":      "a: 1\n",
		"templates/a.yaml": "v: '{{ .Chart.Version }} {{ .Chart.AppVersion }} {{ .Values.a }}'\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	loaded, err := chart.Load(dir)
	require.NoError(t, err)
	next, err := loaded.WithVersion("9.9.9", "9.8")
	require.NoError(t, err)
	require.Equal(t, "yes", next.Annotation("kept"))
	for c, want := range map[*chart.Chart]string{loaded: "v: '1.0.0 1.0 1'", next: "v: '9.9.9 9.8 1'"} {
		renderer, err := c.Renderer()
		require.NoError(t, err)
		documents, err := renderer.RenderDocuments(chart.Rendering{Release: "a", Namespace: "b"}, nil)
		require.NoError(t, err)
		require.Equal(t, want, documents[0].Text)
	}
	_, err = loaded.WithVersion("no version", "")
	require.Error(t, err)
}

// TestVersionOfSubcharts: sub-charts change with the chart, whatever versions it asks for.
func TestVersionOfSubcharts(t *testing.T) {
	t.Parallel()
	files := family()
	files["charts/sub/templates/s.yaml"] = "v: {{ .Chart.Version }}"
	next, err := made(t, files).WithVersion("9.9.9", "9.8")
	require.NoError(t, err)
	require.Contains(t, documents(t, next, chart.Rendering{Release: "a"}, nil),
		chart.Document{Template: "charts/first/templates/s.yaml", Text: "v: 9.9.9"})
}

// TestLater moves the clock where a template asks for the time, and nothing else.
func TestLater(t *testing.T) {
	t.Parallel()
	c := made(t, map[string]string{
		"values.yaml":      "stamp: \"{{ now.Year }}\"\n",
		"templates/a.yaml": `a: {{ now | date "2006" }} {{ tpl .Values.stamp . }} now {{ "now" }} {{ (dict "now" 1).now }}`,
	})
	next, err := c.Later()
	require.NoError(t, err)
	year := func(of time.Time) string {
		return fmt.Sprintf("a: %d %d now now 1", of.Year(), of.Year())
	}
	now := time.Now()
	for of, want := range map[*chart.Chart]string{c: year(now), next: year(now.Add(9001 * time.Hour))} {
		require.Equal(t, want, documents(t, of, chart.Rendering{Release: "a"}, nil)[0].Text)
	}
	timeless := made(t, family())
	next, err = timeless.Later()
	require.NoError(t, err)
	require.Same(t, timeless, next)
}
