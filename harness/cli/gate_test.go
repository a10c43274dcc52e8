package cli_test

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/result"
)

const (
	recordedRun   = "../gate/testdata/run.json"
	recordedCheck = "../gate/testdata/charts-check.json"
)

// suiteOf is a pattern of exactly the scenarios that the recorded run tried.
func suiteOf(t *testing.T) string {
	t.Helper()
	r, err := result.ReadFile(recordedRun)
	require.NoError(t, err)
	var ids []string
	for _, s := range r.Topologies[0].Scenarios {
		ids = append(ids, s.ID)
	}
	return "^(" + strings.Join(ids, "|") + ")$"
}

// TestGatePrintsItsRecord: with -o json standard output is gate.json.
func TestGatePrintsItsRecord(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	got := steamer(t, t.TempDir(), "gate", "--from", recordedRun, "--output-dir", out, "-o", "json")
	files, err := filepath.Glob(filepath.Join(out, "gate-*", "gate.json"))
	require.NoError(t, err)
	require.Len(t, files, 1, got.stderr)
	raw, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.Equal(t, string(raw), got.stdout)
	require.Contains(t, got.stderr, "Directory: ")
}

func TestGateFrom(t *testing.T) {
	t.Parallel()
	out, suite := t.TempDir(), suiteOf(t)
	const short = "--slo=../gate/testdata/slo.yaml" // objectives that a minute of load can hold
	got := steamer(t, t.TempDir(), "gate", short, "--from", recordedRun, recordedCheck, "--scenarios", suite, "--output",
		out)
	require.Equal(t, exit.Pass, got.code, got.stdout+got.stderr)
	require.Contains(t, got.stdout, "Steamer gate: PASS   openbao 0.2.0")
	dirs, err := filepath.Glob(filepath.Join(out, "gate-*"))
	require.NoError(t, err)
	require.Len(t, dirs, 1)
	for _, name := range []string{"gate.json", "gate.html", "gate.md", "gate.xml"} {
		require.FileExists(t, filepath.Join(dirs[0], name))
	}
	raw, err := os.ReadFile(filepath.Join(dirs[0], "gate.json"))
	require.NoError(t, err)
	d, err := gate.Decode("gate.json", raw)
	require.NoError(t, err)
	require.Equal(t, "12", d.Tier)
	require.Contains(t, d.Reproduce, "--from ../gate/testdata/run.json")

	again := steamer(t, t.TempDir(), "gate", short, "--from", dirs[0], "--output", t.TempDir())
	require.Equal(t, exit.Pass, again.code, "the same suite is asked for: "+again.stdout)

	strictly := t.TempDir()
	got = steamer(t, t.TempDir(), "gate", short, "--from", recordedRun, recordedCheck, "--scenarios", suite, "--require",
		"+comparison", "--output", strictly)
	require.Equal(t, exit.Inconclusive, got.code, got.stdout)
	dirs, err = filepath.Glob(filepath.Join(strictly, "gate-*"))
	require.NoError(t, err)
	again = steamer(t, t.TempDir(), "gate", short, "--from", dirs[0], "--output", t.TempDir())
	require.Equal(t, exit.Inconclusive, again.code, "the same criteria are required: "+again.stdout)

	whole := steamer(t, t.TempDir(), "gate", short, "--from", recordedRun, recordedCheck, "--output", out)
	require.Equal(t, exit.Inconclusive, whole.code, "the recorded run did not try the whole suite")
	require.Contains(t, whole.stdout, "scenarios of the suite were not tried")
	less := steamer(t, t.TempDir(), "gate", short, "--from", recordedRun, "--scenarios", suite, "--output", out,
		"--require=-charts,-defects")
	require.Equal(t, exit.Pass, less.code, less.stdout)

	var doc map[string]any
	run, err := os.ReadFile(recordedRun)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(run, &doc))
	doc["topologies"].([]any)[0].(map[string]any)["load"].(map[string]any)["wrong"] = 1
	run, err = json.Marshal(doc)
	require.NoError(t, err)
	wrong := steamer(t, t.TempDir(), "gate", short, "--from", write(t, out, "wrong.json", string(run)), "--scenarios",
		suite, "--output", out)
	require.Equal(t, exit.Fail, wrong.code, wrong.stderr)
	require.Contains(t, wrong.stdout, "1 fetches were answered with a wrong value")

	shipped := steamer(t, t.TempDir(), "gate", "--from", recordedRun, recordedCheck, "--scenarios", suite, "--output", out)
	require.Equal(t, exit.Inconclusive, shipped.code,
		"its minute of load is too short for the p95 and p99 of perf/slo.yaml")
	require.Contains(t, shipped.stdout, "to hold it takes at least 10m0s of this load")
}

func TestGateRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"argument":    {[]string{"runs/x"}, []string{"--from"}},
		"no such run": {[]string{"--from", "/nowhere"}, []string{"--from /nowhere", "no such file"}},
		"chart": {[]string{"--from", recordedRun, "--chart", "x"}, []string{
			"--chart",
			"nothing is run",
		}},
		"profile": {[]string{"--from", recordedRun, "--profile", "steady"}, []string{
			"--profile",
			"nothing is run",
		}},
		"criterion": {[]string{"--from", recordedRun, "--require", "moon"}, []string{
			"--require moon",
			"functional",
		}},
		"list and changes": {
			[]string{"--from", recordedRun, "--require", "load,+mutants"},
			[]string{"it is both"},
		},
		"mutants":  {[]string{"--mutants", "many"}, []string{"--mutants many", "local"}},
		"topology": {[]string{"--from", recordedRun, "--topology", "moon"}, []string{"--topology moon"}},
		"no topology": {[]string{"--from", recordedRun, "--topology", ""}, []string{
			"--topology",
			"nothing would have to be shown",
		}},
		"tier":         {[]string{"--from", recordedRun, "--tier", "13"}, []string{"tier 13"}},
		"other chart":  {[]string{"--with", recordedRun}, []string{"--with", "the chart to judge is another"}},
		"with":         {[]string{"--with", "/nowhere"}, []string{"/nowhere"}},
		"quarantine":   {[]string{"--quarantine", "/nowhere"}, []string{"/nowhere"}},
		"slo":          {[]string{"--from", recordedRun, "--slo", "/nowhere.yaml"}, []string{"/nowhere.yaml"}},
		"online chart": {[]string{"--chart", "/nowhere"}, []string{"chart /nowhere"}},
		"offline compare": {[]string{"--from", recordedRun, "--compare"}, []string{
			"--compare",
			"nothing is run",
		}},
		"no release": {[]string{"--chart", "../../charts/openbao", "--compare"}, []string{
			"--compare",
			"--previous",
		}},
		"itself": {[]string{"--previous", "../../charts/openbao"}, []string{
			"--previous",
			"the chart to judge itself", "--compare=false",
		}},
		"other release": {[]string{"--previous", "../../charts/postgresql"}, []string{
			"--previous",
			"no release of openbao", "--compare=false",
		}},
		"old release": {
			[]string{"--set", "minReadySeconds=5"},
			[]string{"comparison with the previous release", "openbao-0.1.0.tgz", "minReadySeconds"},
		},
		"existing cluster": {[]string{"--kubeconfig", "/nowhere", "--compare"}, []string{
			"--compare",
			"not on an existing one",
		}},
		"another base": {
			[]string{"--with", releaseComparison(t, "../../charts/postgresql")},
			[]string{
				"it compares with openbao", "the declared previous release is openbao 0.1.0 (sha256:",
				"--previous",
			},
		},
		"another base, offline": {
			[]string{"--from", releaseComparison(t, "../../charts/postgresql")},
			[]string{"it compares with openbao", "the declared previous release is openbao 0.1.0 (sha256:"},
		},
		"declared otherwise": {
			[]string{
				"--from", releaseComparison(t, previousRelease), "--previous",
				"../../charts/openbao",
			}, []string{"openbao 0.1.0 (sha256:", "the declared previous release is openbao 0.3.0"},
		},
		"no base declared": {[]string{"--chart", "../../charts/openbao", "--with", releaseComparison(t,
			previousRelease)}, []string{"--with", "not declared", "--previous"}},
		"base is no chart": {
			[]string{"--from", releaseComparison(t, previousRelease), "--previous", "/nowhere"},
			[]string{"/nowhere"},
		},
		"quarantine for ever": {[]string{"--quarantine", eternal(t)}, []string{
			"lasts from 2026-11-01 to 9999-12-31",
			"30 days",
		}},
		"faults below none": {[]string{"--compare=false", "--faults", "-1"}, []string{"--faults -1"}},
		"kinds of no faults": {
			[]string{"--compare=false", "--fault-kinds", "kill"}, []string{"--fault-kinds", "--faults"},
		},
		"faults, offline": {[]string{"--from", recordedRun, "--faults", "3"}, []string{"--faults", "nothing is run"}},
		"other values": {[]string{
			"--with", releaseComparison(t, previousRelease), "--set",
			"minReadySeconds=5",
		}, []string{"--with", "with other values"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			args := append([]string{"gate", "--output", filepath.Join(dir, "runs")}, tc.args...)
			if tc.args[0] != "--from" {
				args = append(args, "--port", freePort(t))
			}
			got := steamer(t, filepath.Join(dir, "cache"), args...)
			require.Equal(t, exit.Invalid, got.code, got.stderr)
			for _, want := range append(tc.want, "hint: ") {
				require.Contains(t, got.stderr, want)
			}
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, left, "something was created")
		})
	}
	dry := steamer(t, t.TempDir(), "gate", "--dry-run", "--port", freePort(t), "--profile", "steady")
	require.Equal(t, exit.Pass, dry.code, dry.stderr)
	require.Contains(t, dry.stdout, "scenarios: all")
	require.Contains(t, dry.stdout, "profile: steady")
	require.Contains(t, dry.stdout, "#   fetch_p99_ms: decidable (it takes 10m0s)")
	require.NotContains(t, dry.stderr, "instead of")

	// The gate takes the length that its objectives need, and says so; without them it does not.
	args := []string{"gate", "--dry-run", "--port", freePort(t), "--compare=false", "--profile", "smoke"}
	longer := steamer(t, t.TempDir(), args...)
	require.Equal(t, exit.Pass, longer.code, longer.stderr)
	require.Contains(t, longer.stderr, "The load is measured for 10m0s instead of the 1m0s of profile smoke")
	require.Contains(t, longer.stdout, "duration: 10m0s")
	require.NotContains(t, longer.stdout, "not judged")
	as := steamer(t, t.TempDir(), append(args, "--require=-load")...)
	require.Equal(t, exit.Pass, as.code, as.stderr)
	require.Contains(t, as.stdout, "#   fetch_p99_ms: not judged, as profile smoke says")
	require.NotContains(t, as.stdout, "\nduration:")
}

func TestReport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	raw, err := os.ReadFile(recordedRun)
	require.NoError(t, err)
	write(t, dir, "result.json", string(raw))
	got := steamer(t, t.TempDir(), "report", dir)
	require.Equal(t, exit.Pass, got.code, got.stderr)
	require.Contains(t, got.stdout, "20261125-143138-fbc5: PASS, reports in "+dir)
	for _, name := range []string{
		"report.html", "report.md", "junit.xml", "metrics.txt", "benchstat.txt", "gpt.txt", "latency-cloud-native.png",
		"percentiles-cloud-native-hybrid.png",
		"load-performance-cloud-native.json",
	} {
		require.FileExists(t, filepath.Join(dir, name))
	}
	other := filepath.Join(t.TempDir(), "new", "place")
	got = steamer(t, t.TempDir(), "report", filepath.Join(dir, "result.json"), "--output", other)
	require.Equal(t, exit.Pass, got.code, got.stderr)
	require.FileExists(t, filepath.Join(other, "report.html"))

	c := compare.New("kept", compare.DefaultDesign())
	c.A.Description, c.B.Description, c.Verdict = "x", "y", result.Pass
	comparison := filepath.Join(dir, "comparison.json")
	require.NoError(t, compare.WriteFile(comparison, c))
	got = steamer(t, t.TempDir(), "report", comparison)
	require.Equal(t, exit.Pass, got.code, got.stderr)
	require.Contains(t, got.stdout, "y against x: INCONCLUSIVE", "it has no pairs, whatever it says")
	require.FileExists(t, filepath.Join(dir, "comparison.html"))

	for _, args := range [][]string{
		{},
		{"/nowhere"},
		{t.TempDir()},
		{write(t, dir, "cut.json", string(raw[:len(raw)/3]))},
		{filepath.Join(dir, "result.json"), "--output", "/proc/x"},
	} {
		got := steamer(t, t.TempDir(), append([]string{"report"}, args...)...)
		require.Equal(t, exit.Invalid, got.code, "%v: %s", args, got.stderr)
		require.Contains(t, got.stderr, "hint: ")
	}
}

// TestGateComparesUnlessTold looks at the ports of the comparison only where there will be one.
func TestGateComparesUnlessTold(t *testing.T) {
	t.Parallel()
	var port int // the run's, which is free; the comparison's first is taken
	require.Eventually(t, func() bool {
		busy, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		port = busy.Addr().(*net.TCPAddr).Port - 1
		free, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			return busy.Close() != nil
		}
		t.Cleanup(func() { busy.Close() })
		return free.Close() == nil
	}, time.Minute, time.Millisecond)
	args := []string{"gate", "--dry-run", "--port", strconv.Itoa(port)}
	got := steamer(t, t.TempDir(), args...)
	require.Equal(t, exit.Invalid, got.code, got.stdout)
	require.Contains(t, got.stderr, "comparison with the previous release (--compare=false leaves it out)")
	require.Contains(t, got.stderr, strconv.Itoa(port+1))
	for name, without := range map[string][]string{
		"told":                  {"--compare=false"},
		"history is not known":  {"--chart", "../../charts/openbao"},
		"there is a comparison": {"--with", releaseComparison(t, previousRelease)},
	} {
		got := steamer(t, t.TempDir(), append(args, without...)...)
		require.Equal(t, exit.Pass, got.code, "%s: %s", name, got.stderr)
	}
}

// TestGateNeedsTheComparisonThatItWasGiven: one that could not tell holds a release up, also where
// the decision is derived again.
func TestGateNeedsTheComparisonThatItWasGiven(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	got := steamer(t, t.TempDir(), "gate", "--from", releaseComparison(t, previousRelease), "--output", out,
		"--require", "mutants")
	require.Equal(t, exit.Inconclusive, got.code, got.stdout+got.stderr)
	require.Contains(t, got.stdout, "comparison with the last release: no pair was driven")
	require.NotContains(t, got.stdout, "not declared", "the source tree declares it")
	dirs, err := filepath.Glob(filepath.Join(out, "gate-*"))
	require.NoError(t, err)
	raw, err := os.ReadFile(filepath.Join(dirs[0], "gate.json"))
	require.NoError(t, err)
	d, err := gate.Decode("gate.json", raw)
	require.NoError(t, err)
	require.Equal(t, "0.1.0", d.Previous.Version)
	require.Contains(t, d.Required(), gate.Comparison)
	again := steamer(t, t.TempDir(), "gate", "--from", dirs[0], "--output", t.TempDir())
	require.Equal(t, exit.Inconclusive, again.code, again.stdout+again.stderr)
}

// previousRelease is the one that the source tree declares.
const previousRelease = "../../scenarios/testdata/openbao-0.1.0.tgz"

// eternal is a quarantine without an end.
func eternal(t *testing.T) string {
	t.Helper()
	return write(t, t.TempDir(), "q.yaml", `{apiVersion: steamer/v1, kind: Quarantine, metrics: [
		{metric: fetch_p50_ms, reason: x, since: "2026-11-01T00:00:00Z", expires: "9999-12-31T00:00:00Z"}]}`)
}

// releaseComparison is a comparison of charts/openbao with what is at a path, by the chart's name.
// It has no pairs, so that it decides nothing.
func releaseComparison(t *testing.T, base string) string {
	t.Helper()
	before, err := chart.Load(base)
	require.NoError(t, err)
	head, err := chart.Load("../../charts/openbao")
	require.NoError(t, err)
	c := compare.New("kept", compare.DefaultDesign())
	info := head.Info()
	c.Design.Where, c.Design.Tier = "cloud-native", "12"
	c.A.Chart, c.B.Chart = &result.Chart{
		Name: info.Name, Version: before.Info().Version,
		Digest: before.Info().Digest,
	}, &info
	path := filepath.Join(t.TempDir(), "comparison.json")
	require.NoError(t, compare.WriteFile(path, c))
	return path
}
