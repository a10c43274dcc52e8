package lint_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/lint"
	reports "gitlab.com/steamer/steamer/harness/report"
)

const reference = "../../charts/openbao"

// small is a chart without a defect; every test of a rule seeds one into it.
var small = map[string]string{
	"Chart.yaml": "apiVersion: v2\nname: small\ndescription: Nothing\nversion: 1.0.0\nappVersion: \"1.0\"\nicon: " +
		"https://small.example/icon.png\n",
	"values.yaml":        "replicas: 1\nport: 8200\ngreeting: hello\n",
	"values.schema.json": `{"type": "object", "additionalProperties": false, "properties": {"replicas": {"type": "integer"}, "port": {"type": "integer"}, "greeting": {"type": "string"}}}`,
	"templates/deployment.yaml": `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name | trunc 40 }}-small
  labels: {app: small, release: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {app: small, release: {{ .Release.Name }}}
  template:
    metadata:
      labels: {app: small, release: {{ .Release.Name }}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: small
          image: registry.example/small:1.0
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
          ports:
            - name: api
              containerPort: {{ .Values.port }}
          readinessProbe:
            httpGet: {path: /, port: api}
          env:
            - name: GREETING
              valueFrom: {configMapKeyRef: {name: {{ .Release.Name | trunc 40 }}-small, key: greeting}}
`,
	"templates/config.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name | trunc 40 }}-small}
data:
  greeting: {{ .Values.greeting }}
`,
	"templates/service.yaml": `apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name | trunc 40 }}-small}
spec:
  selector: {app: small, release: {{ .Release.Name }}}
  ports:
    - {name: api, port: {{ .Values.port }}, targetPort: api}
`,
}

// write puts a chart's files into a directory of its own and returns that.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "small")
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

func run(t testing.TB, dir string, o lint.Options) *lint.Report {
	t.Helper()
	loaded, err := chart.Load(dir)
	require.NoError(t, err)
	if o.Dialect == "" {
		o.Dialect = lint.None
	}
	before, err := json.Marshal(o.Values)
	require.NoError(t, err)
	report, err := lint.Run(t.Context(), loaded, o)
	require.NoError(t, err)
	after, err := json.Marshal(o.Values)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after), "a check changes the values, which are installed after it")
	return report
}

// text is the report as people read it, for messages of failed tests.
func text(t testing.TB, r *lint.Report) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, reports.FindingsTable(&b, r, false))
	return b.String()
}

// TestSmallIsClean: without a seeded defect there is no finding, so that each finding below is the
// defect's.
func TestSmallIsClean(t *testing.T) {
	t.Parallel()
	report := run(t, write(t, small), lint.Options{Strict: true})
	require.True(t, report.Passed, text(t, report))
	require.Zero(t, report.Counts.Warnings)
	require.Equal(t, 3, report.Coverage.Alive)
}

// TestArchive: a packaged chart is checked like its directory.
func TestArchive(t *testing.T) {
	t.Parallel()
	dir := write(t, edit(t, "templates/deployment.yaml", "small:1.0", "small:latest"))
	archive := filepath.Join(t.TempDir(), "small-1.0.0.tgz")
	file, err := os.Create(archive)
	require.NoError(t, err)
	packed := gzip.NewWriter(file)
	writer := tar.NewWriter(packed)
	require.NoError(t, writer.AddFS(os.DirFS(filepath.Dir(dir))))
	for _, closer := range []io.Closer{writer, packed, file} {
		require.NoError(t, closer.Close())
	}
	require.Equal(t, run(t, dir, lint.Options{}).Findings, run(t, archive, lint.Options{}).Findings)
}

// TestLinkedLibrary: a sub-chart may be a symbolic link to a library beside the chart, and what
// helm lint says of the chart as a whole names a file of it.
func TestLinkedLibrary(t *testing.T) {
	t.Parallel()
	files := maps.Clone(small)
	files["templates/config.yaml"] = strings.Replace(small["templates/config.yaml"], "{{ .Values.greeting }}",
		`{{ include "shared.greeting" . }}`, 1)
	files["values.schema.json"] = `{"type": "object"}`
	dir := write(t, files)
	library := write(t, map[string]string{
		"Chart.yaml":          "apiVersion: v2\nname: shared\nversion: 1.0.0\ntype: library\n",
		"templates/_text.tpl": `{{ define "shared.greeting" }}{{ .Values.greeting }}{{ end }}`,
	})
	require.NoError(t, os.Mkdir(filepath.Join(dir, "charts"), 0o755))
	require.NoError(t, os.Symlink(library, filepath.Join(dir, "charts", "shared")))
	report := run(t, dir, lint.Options{})
	require.Equal(t, 3, report.Coverage.Alive, text(t, report))
	require.Equal(t, 1, report.Counts.Errors, text(t, report))
	require.Equal(t, "Chart.yaml", report.Findings[0].File)
	require.Contains(t, report.Findings[0].Message, "missing these dependencies: shared")
}

// TestReferenceIsClean checks the reference chart as users do.
func TestReferenceIsClean(t *testing.T) {
	t.Parallel()
	report := run(t, reference, lint.Options{Dialect: lint.Auto})
	require.True(t, report.Passed, text(t, report))
	require.Equal(t, "gitlab", report.Dialect)
	names := map[string]bool{}
	for _, c := range report.Cases {
		names[c.Name] = c.Error == ""
	}
	for _, name := range []string{
		"cloud-native", "cloud-native-hybrid", "ci/cloud-native-values.yaml", "ci/cloud-native-hybrid-values.yaml",
		"release another", "release of 53 characters", "nameOverride", "fullnameOverride", "autoscaling.enabled=true",
		"bootstrap.enabled=false",
	} {
		require.True(t, names[name], "%s is not among the rendered cases", name)
	}
	require.Contains(t, names, "defaults")
	for _, outcome := range report.Rules {
		if outcome.ID != "values/dead" { // a key that is there for compatibility only does nothing, and may
			require.Equal(t, lint.Clean, outcome.State, "%s\n%s", outcome.ID, text(t, report))
		}
	}
}

// with returns the small chart with some files changed; an empty text removes one.
func with(files map[string]string) map[string]string {
	changed := maps.Clone(small)
	for name, text := range files {
		if text == "" {
			delete(changed, name)
			continue
		}
		changed[name] = text
	}
	return changed
}

// edit replaces a part of one of the small chart's files, which has to be there.
func edit(t *testing.T, name, old, replacement string) map[string]string {
	t.Helper()
	require.Contains(t, small[name], old)
	return with(map[string]string{name: strings.Replace(small[name], old, replacement, 1)})
}

// requireFinding looks for a finding with the rule, severity, object and path, whose message has
// the words.
func requireFinding(t *testing.T, r *lint.Report, rule string, severity lint.Severity, object, path, words string) {
	t.Helper()
	for _, f := range r.Findings {
		if f.Rule == rule && f.Severity == severity && f.Object == object && f.Path == path && strings.Contains(f.Message,
			words) {
			require.NotEmpty(t, f.Hint)
			return
		}
	}
	require.Failf(t, "no such finding", "%s %s %s %s %q in\n%s", severity, rule, object, path, words, text(t, r))
}

// TestRefuses gives what is no chart's defect but bad input.
func TestRefuses(t *testing.T) {
	t.Parallel()
	allow := filepath.Join(t.TempDir(), "allow.yaml")
	require.NoError(t, os.WriteFile(allow, []byte("moon: []\n"), 0o600))
	for name, tc := range map[string]struct {
		files   map[string]string
		options lint.Options
		want    string
	}{
		"values against schema": {small, lint.Options{Values: map[string]any{"replicas": "many"}}, "replicas"},
		"unknown value":         {small, lint.Options{Values: map[string]any{"moon": 1}}, "moon"},
		"dialect unknown":       {small, lint.Options{Dialect: "moon"}, "no such dialect"},
		"dialect schema":        {small, lint.Options{Dialect: "gitlab"}, "does not fit"},
		"dialect objects": {
			with(map[string]string{"values.schema.json": ""}),
			lint.Options{Dialect: "gitlab"},
			"no pods labelled",
		},
		"rule unknown":        {small, lint.Options{Skip: map[string]string{"moon/phase": "why not"}}, "no such rule"},
		"skip without reason": {small, lint.Options{Skip: map[string]string{"helm/lint": ""}}, "needs a reason"},
		"Kubernetes version":  {small, lint.Options{KubeVersion: "1.2"}, "1.2"},
		"allowance missing":   {small, lint.Options{AllowRBAC: "/nowhere.yaml"}, "/nowhere.yaml"},
		"allowance malformed": {small, lint.Options{AllowRBAC: allow}, "moon"},
		"dependency": {
			with(map[string]string{"Chart.yaml": small["Chart.yaml"] + "dependencies: [{name: moon, version: 1.0.0}]\n"}),
			lint.Options{},
			"moon",
		},
		"schema no JSON": {with(map[string]string{"values.schema.json": "{"}), lint.Options{}, "values.schema.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.options.Dialect == "" {
				tc.options.Dialect = lint.None
			}
			loaded, err := chart.Load(write(t, tc.files)) // which may refuse as well
			if err == nil {
				_, err = lint.Run(t.Context(), loaded, tc.options)
			}
			require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "hint: ")
		})
	}
}

// TestSkip leaves a rule out, says so, and keeps its findings away from the verdict.
func TestSkip(t *testing.T) {
	t.Parallel()
	dir := write(t, edit(t, "templates/deployment.yaml", "small:1.0", "small:latest"))
	require.False(t, run(t, dir, lint.Options{}).Passed)
	report := run(t, dir, lint.Options{Skip: map[string]string{"security/images": "a local build"}})
	require.True(t, report.Passed, text(t, report))
	require.Contains(t, text(t, report), "skipped  security/images: a local build")
}

// TestStrict: warnings pass, and fail where asked.
func TestStrict(t *testing.T) {
	t.Parallel()
	dir := write(t, with(map[string]string{"values.schema.json": ""}))
	require.True(t, run(t, dir, lint.Options{}).Passed)
	require.False(t, run(t, dir, lint.Options{Strict: true}).Passed)
}
