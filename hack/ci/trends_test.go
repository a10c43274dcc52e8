package ci

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTrendsJob runs the nightly job's script with a steamer that writes down how it is called.
func TestTrendsJob(t *testing.T) {
	t.Parallel()
	all := jobs(t)
	i := slices.IndexFunc(all, func(j job) bool { return j.name == "trends" })
	require.GreaterOrEqual(t, i, 0, "no job follows the nightly results")
	require.Equal(t, []any{"nightly", "nightly-tiers"}, all[i].fields["needs"], "their artifacts are the results")
	lines := all[i].lines()
	script := lines[len(lines)-1]
	require.Contains(t, script, "bin/steamer trend")

	const head, released = `{"chart": {"source": "charts/openbao"}}`,
		`{"chart": {"source": "scenarios/testdata/openbao-0.1.0.tgz"}}`
	for name, tc := range map[string]struct {
		files map[string]string
		fails string // the charts at which steamer fails
		want  []string
		code  int
	}{
		"a night": {
			map[string]string{"runs/n1/result.json": head, "runs/n2/result.json": released, "runs/n3/result.json": head},
			"none",
			[]string{
				"trend history/head --add runs/n1/result.json --add runs/n3/result.json --output trends/head",
				"trend history/released --add runs/n2/result.json --output trends/released",
			},
			0,
		},
		"repeated": {
			map[string]string{
				"runs/n1/result.json": head, "runs/n2/result.json": head,
				"history/head/20261126-020000-n1.json": head,
			},
			"none",
			[]string{
				"trend history/head --add runs/n2/result.json --output trends/head",
				"trend history/released --output trends/released",
			},
			0,
		},
		"no run": {
			nil, "head",
			[]string{"trend history/head --output trends/head", "trend history/released --output trends/released"},
			3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			put := func(name, text string) {
				path := filepath.Join(dir, name)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
			}
			for name, text := range tc.files {
				put(name, text)
			}
			put("stub", "#!/bin/sh\necho \"$*\" >>calls\ncase \"$2\" in */"+tc.fails+") exit 3 ;; esac\n")
			// The shell makes the program: one that this process has just written may still be
			// open in a child of another test.
			const install = "mkdir bin && cp stub bin/steamer && chmod +x bin/steamer\n"
			cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", install+script)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "STEAMER_HISTORY=history")
			out, err := cmd.CombinedOutput()
			if tc.code == 0 {
				require.NoError(t, err, "%s", out)
			} else {
				require.Error(t, err, "%s", out)
				require.Equal(t, tc.code, cmd.ProcessState.ExitCode(), "%s", out)
			}
			calls, err := os.ReadFile(filepath.Join(dir, "calls"))
			require.NoError(t, err)
			require.Equal(t, tc.want, strings.Split(strings.TrimSpace(string(calls)), "\n"))
		})
	}
}
