// Package ci holds what is asked of the pipeline's files without GitLab and without Node.js;
// lint.mjs asks the rest.
package ci

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"gitlab.com/steamer/steamer/harness/cli"
)

const (
	pipeline  = "../../.gitlab-ci.yml"
	component = "../../.gitlab/ci/steamer.yml"
)

// documents reads every YAML document of a file.
func documents(t *testing.T, path string) []map[string]any {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	d := yaml.NewDecoder(bytes.NewReader(raw))
	var out []map[string]any
	for {
		var doc map[string]any
		if err := d.Decode(&doc); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out = append(out, doc)
	}
}

// job is what the tests look at.
type job struct {
	file, name string
	fields     map[string]any
}

// jobs are those of both files, hidden ones included.
func jobs(t *testing.T) []job {
	t.Helper()
	var out []job
	for path, doc := range map[string]map[string]any{
		pipeline:  documents(t, pipeline)[0],
		component: documents(t, component)[1],
	} {
		for name, v := range doc {
			fields, ok := v.(map[string]any)
			if ok && !slices.Contains([]string{"workflow", "default", "variables"}, name) {
				out = append(out, job{path, name, fields})
			}
		}
	}
	return out
}

// lines are the commands of a job.
func (j job) lines() []string {
	var out []string
	for _, part := range []string{"before_script", "script", "after_script"} {
		list, _ := j.fields[part].([]any)
		for _, l := range list {
			out = append(out, l.(string))
		}
	}
	return out
}

func TestJobsAreHardened(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`^[a-z0-9./-]+:[A-Za-z0-9._-]+@sha256:[0-9a-f]{64}$`)
	require.Regexp(t, pinned, documents(t, pipeline)[0]["default"].(map[string]any)["image"])
	inputs := documents(t, component)[0]["spec"].(map[string]any)["inputs"].(map[string]any)
	require.Regexp(t, pinned, inputs["image"].(map[string]any)["default"])
	for name, input := range inputs {
		require.NotEmpty(t, input.(map[string]any)["description"], "input %s", name)
	}
	for _, j := range jobs(t) {
		if image, ok := j.fields["image"].(string); ok && !strings.HasPrefix(image, "$[[") {
			require.Regexp(t, pinned, image, j.name)
		}
		script := strings.Join(j.lines(), "\n")
		for _, bad := range []string{
			"set -x", "set -o xtrace", "CI_DEBUG", "| sh", "| bash", "--password ", "printenv",
			"env |",
		} {
			require.NotContains(t, script, bad, "job %s", j.name)
		}
		require.NotContains(t, script, "$[[", "job %s: an input inside a script is code; pass it as a variable", j.name)
		privileged := strings.Contains(strings.ToLower(stringify(j.fields["tags"])+stringify(j.fields["extends"])),
			"privileged") || j.fields["extends"] == ".run"
		require.False(t, privileged && strings.Contains(script, "PASSWORD"), "job %s: no credentials in a privileged job",
			j.name)
		if strings.Contains(script, "PASSWORD") {
			require.Contains(t, stringify(j.fields["rules"]), "CI_COMMIT_REF_PROTECTED", "job %s uses credentials", j.name)
		}
		if j.fields["script"] != nil && j.fields["extends"] == nil {
			require.NotEmpty(t, j.fields["timeout"], "job %s", j.name)
		}
	}
}

func stringify(v any) string {
	b, err := yaml.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// TestScriptsParse has a shell read every script, without running it.
func TestScriptsParse(t *testing.T) {
	t.Parallel()
	for _, j := range jobs(t) {
		cmd := exec.CommandContext(t.Context(), "sh", "-n")
		cmd.Stdin = strings.NewReader(strings.Join(j.lines(), "\n"))
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "job %s: %s", j.name, out)
	}
}

// TestCommandsExist looks for every make target and every command of steamer that a job calls.
func TestCommandsExist(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z0-9-]+):`).FindAllStringSubmatch(string(raw), -1) {
		targets[m[1]] = true
	}
	called := map[string]bool{}
	for _, j := range jobs(t) {
		script := strings.Join(j.lines(), "\n")
		for _, m := range regexp.MustCompile(`(?m)(?:^|&& )make (?:-C \S+ )?([a-z0-9-]+)`).FindAllStringSubmatch(script, -1) {
			require.True(t, targets[m[1]], "job %s: there is no target %s", j.name, m[1])
			called[m[1]] = true
		}
		for _, m := range regexp.MustCompile(`bin/steamer"? ([a-z]+(?: [a-z]+)?)`).FindAllStringSubmatch(script, -1) {
			command, _, err := cli.Reference().Find(strings.Fields(m[1]))
			require.NoError(t, err, "job %s: steamer %s", j.name, m[1])
			require.NotEqual(t, "steamer", command.Name(), "job %s: steamer %s", j.name, m[1])
			called["steamer "+command.Name()] = true
		}
	}
	for _, want := range []string{
		"lint", "test", "release", "dist", "vulncheck", "ci-lint", "generate", "calibrate", "steamer run", "steamer gate",
		"steamer mutants", "steamer capacity",
		"steamer trend",
	} {
		require.True(t, called[want], "no job calls %s; seen: %v", want, slices.Sorted(maps.Keys(called)))
	}
	for _, hidden := range []string{
		"perf", "e2e", "gate", "mutants",
		"capacity",
	} { // make ends with 2 whatever its recipe said: FAIL would look like INCONCLUSIVE
		require.False(t, called[hidden], "a job calls make %s, which hides the exit code", hidden)
	}
}
