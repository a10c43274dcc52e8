package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// call runs the command line and returns its code and output.
func call(t *testing.T, args ...string) (exit.Code, string, string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code := Main(t.Context(), &State{Args: args, Stdout: &out, Stderr: &errOut, Getenv: func(string) string { return "" }})
	return code, out.String(), errOut.String()
}

// TestComparisonsRefuse tries input that has to be refused before anything is touched.
func TestComparisonsRefuse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"--pairs 5", []string{"compare", "--local", "--pairs", "5"}},
		{"--slice 1s", []string{"compare", "--local", "--slice", "1s"}},
		{"--rate -1", []string{"compare", "--local", "--rate", "-1"}},
		{"--gate nonsense", []string{"compare", "--local", "--gate", "nonsense"}},
		{"--gate fetch_p50_ms=x", []string{"compare", "--local", "--gate", "fetch_p50_ms=x"}},
		{"--margin -5", []string{"compare", "--local", "--margin", "-5"}},
		{"--mode", []string{"compare", "--local", "--mode", "x"}},
		{"--base-config", []string{"compare", "--local", "--base-config", filepath.Join(dir, "none.json")}},
		{"--head-config", []string{
			"compare", "--local", "--head-config",
			write("patch.json", `[{"op": "replace", "path": "/nowhere", "value": 1}]`),
		}},
		{"--head-config", []string{"compare", "--local", "--head-config", write("no.json", `{"a": 1}`)}},
		{"--head-binary", []string{"compare", "--local", "--head-binary", dir}},
		{"--base", []string{"compare", "--local", "--base", "charts/openbao"}},
		{"--base-config", []string{"compare", "--base-config", "x"}},
		{"--base", []string{"compare"}},
		{"--head-image k6=x:1", []string{"compare", "--base", "x", "--head", "y", "--head-image", "k6=x:1"}},
		{"neither tag nor digest", []string{"compare", "--base", "x", "--head", "y", "--base-image", "openbao=x"}},
		{"with --local no chart", []string{"compare", "--local", "--tier", "30"}},
		{"--base-image", []string{"compare", "--local", "--base-image", "openbao=x:1"}},
		{"values", []string{
			"compare", "--base", "../../charts/openbao@" + filepath.Join(dir, "none.yaml"), "--head",
			"../../charts/openbao",
		}},
		{"none.yaml", []string{
			"compare", "--base", "../../charts/openbao", "--head", "../../charts/openbao", "--head-values",
			filepath.Join(dir, "none.yaml"),
		}},
		{"none.yaml", []string{
			"compare", "--base", "../../charts/openbao", "--head", "../../charts/openbao", "-f",
			filepath.Join(dir, "none.yaml"),
		}},
		{"chart oci://127.0.0.1:1/x@sha256:", []string{
			"compare", "--base", "oci://127.0.0.1:1/x@sha256:" + strings.Repeat("0", 64), "--head", "../../charts/openbao",
		}},
		{"quarantine", []string{"compare", "--local", "--quarantine", write("quarantine.yaml", "metrics: []")}},
		{"not a complete JSON document", []string{"compare", "--from", write("cut.json", `{"apiVersion": "steamer`)}},
		{"--rate", []string{"compare", "--from", "x", "--rate", "5"}},
		{"--tier", []string{"compare", "--from", "x", "--tier", "150"}},
		{"--scenarios", []string{"compare", "--from", "x", "--scenarios", "all"}},
		{"--same 0", []string{"calibrate", "--local", "--same", "0"}},
		{"--effect 0", []string{"calibrate", "--local", "--effect", "0"}},
		{"--cpu-limit -1", []string{"calibrate", "--local", "--cpu-limit", "-1"}},
		{"--cpu-limit", []string{"calibrate", "--base", "../../charts/openbao", "--cpu-limit", "0.5"}},
		{"--resume", []string{"calibrate", "--local", "--resume", dir}},
		{"no comparison", []string{"calibrate", "--local", "--resume", filepath.Join(dir, "calibrate-x")}},
		{"--idle 0", []string{"compare", "--local", "--turns", "--slice", "1s", "--idle", "0s"}},
		{"--scenarios", []string{"compare", "--local", "--scenarios", "^nonsense$"}},
		{"--turns", []string{"compare", "--turns", "--base", "../../charts/openbao", "--head", "../../charts/openbao"}},
		{"--recipe nonsense", []string{"compare", "--local", "--recipe", "nonsense"}},
		{"no comparison", []string{"calibrate", "--from", t.TempDir()}},
		{"no result", []string{"trend", t.TempDir()}},
		{"--margin", []string{"calibrate", "--from", dir, "--margin", "5"}},
		{"is not a number", []string{"compare", "--local", "--gate", "fetch_p95_ms=1O"}},
		{"too few for it to decide", []string{"compare", "--local", "--gate", "fetch_p99_ms"}},
		{"together 200 fetches a slice", []string{"compare", "--local", "--gate", "fetch_p95_ms", "--slice", "3s"}},
		{"--quarantine-for 721h", []string{"calibrate", "--local", "--quarantine-for", "721h"}},
		{"--quarantine-for 0s", []string{"calibrate", "--from", dir, "--quarantine-for", "0s"}},
		{"--plots", []string{"trend", dir, "--plots", "gif"}},
		{"--min-change", []string{"trend", dir, "--min-change", "-1"}},
		{"arg(s)", []string{"trend"}},
	} {
		code, _, message := call(t, c.args...)
		require.Equal(t, exit.Invalid, code, "%v: %s", c.args, message)
		require.Contains(t, message, c.want, "%v", c.args)
	}
}

// TestCompareFrom judges a recorded comparison again, with other settings too.
func TestCompareFrom(t *testing.T) {
	t.Parallel()
	c := compare.New("kept", compare.DefaultDesign())
	c.Design.Where = "local"
	for i := range 10 {
		value := func(v float64) compare.Slice {
			s := compare.Slice{Values: map[string]float64{}}
			for _, g := range compare.DefaultGate(0.05) {
				s.Values[g.Name] = v + float64(i)/1000
			}
			return s
		}
		c.Pairs = append(c.Pairs, compare.Pair{Order: "AB", A: value(1), B: value(1.3)})
	}
	c.Finished, c.Partial = c.Started, false
	path := filepath.Join(t.TempDir(), "comparison.json")
	require.NoError(t, compare.WriteFile(path, c))
	code, out, _ := call(t, "compare", "--from", path)
	require.Equal(t, exit.Fail, code)
	require.Contains(t, out, "above the margin of 5 %")
	code, out, _ = call(t, "compare", "--from", path, "--margin", "50")
	require.Equal(t, exit.Pass, code)
	require.Contains(t, out, "the error rates hold only for settings chosen before")
	code, out, message := call(t, "compare", "--from", path, "--margin", "50", "-o", "json")
	require.Equal(t, exit.Pass, code)
	again, err := compare.Decode("standard output", []byte(out))
	require.NoError(t, err, "the record is all there is on standard output")
	require.Equal(t, result.Pass, again.Verdict)
	require.Contains(t, message, "the error rates hold only for settings chosen before")
	code, _, _ = call(t, "compare", "--from", path, "--gate", "fetch_p50_ms=20")
	require.Equal(t, exit.Fail, code)
}

// TestTrendAddsAllOrNothing: a bad result among good ones leaves the history as it was.
func TestTrendAddsAllOrNothing(t *testing.T) {
	t.Parallel()
	const run = "../result/testdata/run-v1.json"
	dir, bad := filepath.Join(t.TempDir(), "history"), filepath.Join(t.TempDir(), "bad.json")
	require.NoError(t, os.WriteFile(bad, []byte("{"), 0o644))
	for _, args := range [][]string{{"--add", run, "--add", bad}, {"--add", run, "--add", run}} {
		code, _, message := call(t, append([]string{"trend", dir}, args...)...)
		require.Equal(t, exit.Invalid, code, message)
		require.NoDirExists(t, dir)
	}
	code, _, message := call(t, "trend", dir, "--add", run)
	require.Equal(t, exit.Pass, code, message)
	code, _, message = call(t, "trend", dir, "--add", run)
	require.Equal(t, exit.Invalid, code, "it is there")
	require.Contains(t, message, "it exists")
}

// TestDryRun prints the design and starts nothing.
func TestDryRun(t *testing.T) {
	t.Parallel()
	code, out, message := call(t, "--root", "../..", "compare", "--local", "--dry-run", "--pairs", "12", "--slice", "20s")
	require.Equal(t, exit.Pass, code, message)
	require.Contains(t, out, "maxPairs: 12")
	require.Contains(t, out, "first interim analysis after")
	code, out, message = call(t, "--root", "../..", "compare", "--dry-run", "--base", "../../charts/openbao", "--head",
		"../../charts/openbao", "--set", "replicaCount=2")
	require.Equal(t, exit.Pass, code, message)
	require.Contains(t, out, "where: cloud-native")
}
