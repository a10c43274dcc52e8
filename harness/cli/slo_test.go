package cli_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/topology"
)

func TestSLOCheck(t *testing.T) {
	t.Parallel()
	got := steamer(t, t.TempDir(), "slo", "check")
	require.Equal(t, exit.Pass, got.code, got.stderr)
	require.Contains(t, got.stdout, "entries[2]  OpenBao >=2.4.0, topology any, tier 3 6 12 30")
	require.Contains(t, got.stdout, "perf/slo.yaml: sound")
	require.Contains(t, got.stdout, "outages[0]   outage budget of change config with strategy Recreate")

	shipped, err := os.ReadFile("../../perf/slo.yaml")
	require.NoError(t, err)
	dir := t.TempDir()
	hidden := write(t, dir, "hidden.yaml", `apiVersion: steamer/v1
kind: SLO
name: hidden
entries:
  - limits: [{metric: fetch_mean_ms, op: "<=", limit: 1, source: s}]
  - tier: [3]
    limits: [{metric: fetch_mean_ms, op: "<=", limit: 1, source: s}]
`)
	forgotten := write(t, dir, "forgotten.yaml", string(shipped[:bytes.Index(shipped, []byte("  - {change: crash"))])+"\n")
	cut := write(t, dir, "cut.yaml", string(shipped[:bytes.Index(shipped, []byte("{change: crash"))+8])) // within an entry
	for name, tc := range map[string]struct {
		args []string
		code exit.Code
		want string
	}{
		"no budget":    {[]string{forgotten}, exit.Fail, "no outage budget for change crash"},
		"hidden entry": {[]string{hidden}, exit.Fail, "entries[1] never applies"},
		"no such file": {[]string{"/nowhere.yaml"}, exit.Invalid, "no such file"},
		"truncated":    {[]string{cut}, exit.Invalid, "cut.yaml"},
		"two files":    {[]string{hidden, hidden}, exit.Invalid, "--help"},
	} {
		got := steamer(t, t.TempDir(), append([]string{"slo", "check"}, tc.args...)...)
		require.Equal(t, tc.code, got.code, name)
		require.Contains(t, got.stdout+got.stderr, tc.want, name)
	}
}

func TestSLOExplain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		code exit.Code
		want []string
	}{
		"first": {[]string{"--openbao", "2.4.0", "--tier", "12", "--topology", "cloud-native"}, exit.Pass, []string{
			"entries[2] of ", "fetch_mean_ms", "<= 100", "to hold it takes 10m0s of load; Steamer proposal", "sized as",
			"500m CPU, 4G memory, 2 pods", "normal 3-7",
		}},
		"second": {[]string{"--openbao", "2.4.0", "--tier", "150"}, exit.Pass, []string{
			`entries[2] does not apply: tier "150" is none of [3 6 12 30]`, "entries[3] of ", "<= 150", "31G memory",
		}},
		"none": {[]string{"--openbao", "2.3.0"}, exit.Inconclusive, []string{
			"No entry of ", "INCONCLUSIVE",
			`OpenBao version "2.3.0" is not in ">=2.4.0"`,
		}},
		"topology": {[]string{"--topology", "moon"}, exit.Invalid, []string{"--topology moon", "cloud-native-hybrid"}},
		"tier":     {[]string{"--tier", "13"}, exit.Invalid, []string{"tier 13"}},
		"file":     {[]string{"--slo", "/nowhere.yaml"}, exit.Invalid, []string{"/nowhere.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := steamer(t, t.TempDir(), append([]string{"slo", "explain"}, tc.args...)...)
			require.Equal(t, tc.code, got.code, got.stderr)
			for _, want := range tc.want {
				require.Contains(t, got.stdout+got.stderr, want)
			}
		})
	}
}

// TestTopologiesOfObjectives compares the names that an entry may have with those that there are.
func TestTopologiesOfObjectives(t *testing.T) {
	t.Parallel()
	require.Equal(t, append(topology.Names(), run.FullStackTopology), judge.Topologies())
}
