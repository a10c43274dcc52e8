package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/lint"
)

// miniature writes a chart with one ConfigMap, whose text is given.
func miniature(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "mini/Chart.yaml", "apiVersion: v2\nname: mini\ndescription: Nothing\nversion: 1.0.0\nicon: https://mini.example/icon.png\n")
	write(t, dir, "mini/values.yaml", "text: hello\n")
	write(t, dir, "mini/values.schema.json", `{"additionalProperties": false, "properties": {"text": {"type": "string"}}}`)
	write(t, dir, "mini/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-a'}\ndata: {text: '{{ "+
		".Values.text }}'}\n"+config)
	return filepath.Join(dir, "mini")
}

// TestChartsCheck looks at exit codes, formats and the file that --output names.
func TestChartsCheck(t *testing.T) {
	t.Parallel()
	clean, defect := miniature(t, ""), miniature(t, "dada: {}\n")
	schemaless := miniature(t, "")
	require.NoError(t, os.Remove(filepath.Join(schemaless, "values.schema.json")))
	for name, tc := range map[string]struct {
		args []string
		code exit.Code
		want string
	}{
		"clean":   {[]string{clean}, exit.Pass, "CLEAN: 0 errors, 0 warnings"},
		"defect":  {[]string{defect}, exit.Fail, "ConfigMap/openbao-a: dada"},
		"warning": {[]string{schemaless}, exit.Pass, "WARNING  helm/values-schema"},
		"strict":  {[]string{schemaless, "--strict"}, exit.Fail, "WARNING  helm/values-schema"},
		"skipped": {
			[]string{defect, "--skip", "kube/schema=on purpose"},
			exit.Pass,
			"skipped  kube/schema: on purpose",
		},
		"older API":      {[]string{clean, "--kube-version", "1.36"}, exit.Pass, "Kubernetes 1.36.3"},
		"values":         {[]string{clean, "--set", "text=bye"}, exit.Pass, "1 set by"},
		"json":           {[]string{defect, "--format", "json"}, exit.Fail, `"path": "dada"`},
		"sarif":          {[]string{defect, "--format", "sarif"}, exit.Fail, `"ruleId": "kube/schema"`},
		"codequality":    {[]string{defect, "--format", "codequality"}, exit.Fail, `"check_name": "kube/schema"`},
		"junit":          {[]string{defect, "--format", "junit"}, exit.Fail, `name="kube/schema"`},
		"reference":      {[]string{"../../charts/openbao", "--dialect", "gitlab"}, exit.Pass, "dialect gitlab"},
		"without values": {[]string{clean, "--dialect", "none"}, exit.Pass, "topologies not rendered"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := steamer(t, t.TempDir(), append([]string{"charts", "check"}, tc.args...)...)
			require.Equal(t, tc.code, got.code, got.stdout+got.stderr)
			require.Contains(t, got.stdout, tc.want)
			require.NotContains(t, got.stdout, "\x1b", "coloured without a terminal")
			for line := range strings.Lines(got.stderr) { // of a check that takes more than two seconds
				require.Contains(t, line, "checking the chart: ")
			}
		})
	}

	file := filepath.Join(t.TempDir(), "report.json")
	got := steamer(t, t.TempDir(), "charts", "check", defect, "--format", "json", "--output", file)
	require.Equal(t, exit.Fail, got.code, got.stderr)
	require.Empty(t, got.stdout)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var report lint.Report
	require.NoError(t, json.Unmarshal(data, &report))
	require.False(t, report.Passed)
}

// TestChartsCheckRefuses: bad input is exit code 3 with input, cause and hint, and nothing on the
// standard output.
func TestChartsCheckRefuses(t *testing.T) {
	t.Parallel()
	clean := miniature(t, "")
	noArchive := write(t, t.TempDir(), "x.tgz", "no archive")
	dependent := miniature(t, "")
	write(t, dependent, "Chart.yaml", "apiVersion: v2\nname: mini\nversion: 1.0.0\ndependencies: [{name: moon, version: 1.0.0}]\n")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no chart":       {[]string{"/nowhere"}, "/nowhere"},
		"broken archive": {[]string{noArchive}, noArchive},
		"dependency":     {[]string{dependent}, "moon"},
		"no argument":    {nil, "arg"},
		"values missing": {[]string{clean, "-f", "/nowhere.yaml"}, "/nowhere.yaml"},
		"set":            {[]string{clean, "--set", "a"}, "--set a"},
		"schema":         {[]string{clean, "--set", "moon=1"}, "moon"},
		"dialect":        {[]string{clean, "--dialect", "moon"}, "--dialect moon"},
		"dialect no fit": {[]string{clean, "--dialect", "gitlab"}, "does not fit"},
		"kube version":   {[]string{clean, "--kube-version", "1.2"}, "--kube-version 1.2"},
		"format":         {[]string{clean, "--format", "moon"}, "--format moon"},
		"skip unknown":   {[]string{clean, "--skip", "moon/phase=x"}, "moon/phase"},
		"skip no reason": {[]string{clean, "--skip", "helm/lint"}, "needs a reason"},
		"skip blank":     {[]string{clean, "--skip", "helm/lint= "}, "needs a reason"},
		"allowance":      {[]string{clean, "--allow-rbac", "/nowhere.yaml"}, "/nowhere.yaml"},
		"unknown flag":   {[]string{clean, "--moon"}, "--moon"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := steamer(t, t.TempDir(), append([]string{"charts", "check"}, tc.args...)...)
			require.Equal(t, exit.Invalid, got.code, got.stdout+got.stderr)
			require.Contains(t, got.stderr, tc.want)
			require.Contains(t, got.stderr, "hint: ")
			require.Empty(t, got.stdout)
		})
	}
	got := steamer(t, t.TempDir(), "charts", "check", clean, "--output", "/nowhere/report.txt")
	require.Equal(t, exit.Environment, got.code)
}

// TestChartsRules lists every rule, and explains one.
func TestChartsRules(t *testing.T) {
	t.Parallel()
	got := steamer(t, t.TempDir(), "charts", "rules")
	require.Equal(t, exit.Pass, got.code)
	for _, rule := range lint.Rules() {
		require.Contains(t, got.stdout, rule.ID)
		require.Contains(t, got.stdout, rule.Protects)
	}
	got = steamer(t, t.TempDir(), "charts", "rules", "--explain", "upgrade/secrets")
	require.Equal(t, exit.Pass, got.code)
	require.Equal(t, 5, strings.Count(got.stdout, "\n"))
	require.Contains(t, got.stdout, "lookup")
	got = steamer(t, t.TempDir(), "charts", "rules", "--explain", "moon")
	require.Equal(t, exit.Invalid, got.code)
	require.Contains(t, got.stderr, "no such rule")
}
