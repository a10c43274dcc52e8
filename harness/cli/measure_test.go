package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

// TestMeasurementsRefuse gives capacity, sizing and findings what they have to refuse: before
// anything is built, started or written.
func TestMeasurementsRefuse(t *testing.T) {
	t.Parallel()
	cache, output := t.TempDir(), filepath.Join(t.TempDir(), "runs")
	for name, args := range map[string][]string{
		"rates":             {"capacity", "--local", "--start", "0"},
		"upside down":       {"capacity", "--local", "--start", "500", "--max", "100"},
		"resolution":        {"capacity", "--local", "--resolution", "2"},
		"short trial":       {"capacity", "--local", "--trial", "1s"},
		"confirmations":     {"capacity", "--local", "--confirmations", "1"},
		"mode":              {"capacity", "--local", "--mode", "telepathy"},
		"tier":              {"capacity", "--local", "--tier", "7"},
		"objectives":        {"capacity", "--local", "--slo", "/nowhere/slo.yaml"},
		"its own rate":      {"capacity", "--local", "--rate", "5"},
		"chart of none":     {"capacity", "--local", "--chart", "x"},
		"limit":             {"capacity", "--local", "--openbao-cpus", "-1"},
		"limit of a chart":  {"capacity", "--openbao-cpus", "1"},
		"tenants":           {"capacity", "--local", "--tenants", "0"},
		"no cluster's":      {"capacity", "--local", "--keep"},
		"an argument":       {"capacity", "fast"},
		"sizes":             {"sizing", "--local", "--max-tenants", "5"},
		"too many":          {"sizing", "--local", "--max-tenants", "50000"},
		"length":            {"sizing", "--local", "--length", "1s"},
		"failovers":         {"sizing", "--local", "--failovers", "0"},
		"tenants of sizing": {"sizing", "--local", "--tenants", "7"},
		"tier of sizing":    {"sizing", "--local", "--tier", "12"},
		"rounds":            {"findings", "--rounds", "3"},
		"pattern":           {"findings", "--run", "("},
		"no experiment":     {"findings", "--run", "moon"},
		"no run":            {"findings", "--from", "/nowhere"},
		"page":              {"findings", "--markdown", "/nowhere/page.md"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := steamer(t, cache, append(args, "--output", output)...)
			require.Equal(t, exit.Invalid, got.code, got.stderr)
			require.Contains(t, got.stderr, "hint:")
			require.NoDirExists(t, output)
			files, err := os.ReadDir(cache)
			require.NoError(t, err)
			require.Empty(t, files)
		})
	}
}

// TestMeasurementsSayWhatTheyWouldDo: lists and dry runs touch nothing.
func TestMeasurementsSayWhatTheyWouldDo(t *testing.T) {
	t.Parallel()
	cache, output := t.TempDir(), filepath.Join(t.TempDir(), "runs")
	for text, args := range map[string][]string{
		"expiry-storm":                {"findings", "--list"},
		"confirmations of 30s":        {"capacity", "--local", "--dry-run"},
		"[50 200 1000] tenants":       {"sizing", "--local", "--dry-run"},
		"- cloud-native":              {"capacity", "--topology", "cloud-native", "--dry-run"},
		"- cloud-native-hybrid\n":     {"sizing", "--topology", "cloud-native-hybrid", "--dry-run"},
		"--max-tenants":               {"sizing", "--help"},
		"have to be found again":      {"findings", "--help"},
		"load generator is the first": {"capacity", "--help"},
	} {
		if args[1] == "--topology" {
			args = append(args, "--port", freePort(t))
		}
		got := steamer(t, cache, append(args, "--output", output)...)
		require.Equal(t, exit.Pass, got.code, got.stderr)
		require.Contains(t, got.stdout, text)
		require.NoDirExists(t, output)
	}
}

// TestScenariosOfCommandsThatRunNone: only what asks for none is accepted.
func TestScenariosOfCommandsThatRunNone(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"capacity", "--local"}, {"sizing", "--local"}, {"load", "fixture", "--port", freePort(t)},
	} {
		args = append(args, "--dry-run", "--scenarios")
		got := steamer(t, t.TempDir(), append(args, "none")...)
		require.Equal(t, exit.Pass, got.code, got.stderr)
		got = steamer(t, t.TempDir(), append(args, "all")...)
		require.Equal(t, exit.Invalid, got.code, args)
		require.Contains(t, got.stderr, "--scenarios all: this command runs no scenario")
	}
}

// TestScenariosOfPlansForCommandsThatRunNone: a plan file that asks for scenarios is refused too.
func TestScenariosOfPlansForCommandsThatRunNone(t *testing.T) {
	t.Parallel()
	for scenarios, want := range map[string]exit.Code{"core": exit.Invalid, "none": exit.Pass} {
		file := filepath.Join(t.TempDir(), "plan.yaml")
		require.NoError(t, os.WriteFile(file, []byte("apiVersion: steamer/v1\nkind: Plan\ntopologies: [cloud-native]\nscenarios: "+scenarios+"\n"), 0o644))
		for _, args := range [][]string{{"capacity"}, {"sizing"}, {"load", "fixture"}} {
			got := steamer(t, t.TempDir(), append(args, "--dry-run", "--port", freePort(t), "--plan", file)...)
			require.Equal(t, want, got.code, "%v: %s", args, got.stderr)
			if want == exit.Invalid {
				require.Contains(t, got.stderr, "--plan "+file+": it asks for scenarios (core), and this command runs none")
			}
		}
	}
}

// TestHelpLeavesRefusedFlagsOut: what a command inherits and refuses is not offered, and the tier
// that it takes is the one that help names.
func TestHelpLeavesRefusedFlagsOut(t *testing.T) {
	t.Parallel()
	for flag, args := range map[string][]string{
		"--profile string":    {"capacity"},
		"--tenants int":       {"sizing"},
		"--generator-cpu":     {"load", "fixture"},
		"--quarantine string": {"calibrate"},
	} {
		got := steamer(t, t.TempDir(), append(args, "--help")...)
		require.Equal(t, exit.Pass, got.code, got.stderr)
		require.NotContains(t, got.stdout, flag)
	}
	for _, name := range []string{"capacity", "sizing"} {
		got := steamer(t, t.TempDir(), name, "--help")
		require.Contains(t, strings.Join(strings.Fields(got.stdout), " "), `60, 150 (default "150")`, name)
	}
}

// TestFlagsBesidePlans: a command's own flag is no part of the plan, whatever its name.
func TestFlagsBesidePlans(t *testing.T) {
	t.Parallel()
	got := steamer(t, t.TempDir(), "capacity", "--topology", "cloud-native", "--dry-run", "--port", freePort(t),
		"--mode", "login-read", "--tenants", "7")
	require.Equal(t, exit.Pass, got.code, got.stderr)
	require.Contains(t, got.stdout, "tenants: 7\n")
	require.NotContains(t, got.stdout, "mode:")
}

// TestOldNamesGiveWay: an old name of a flag does not hide another flag that has it today.
func TestOldNamesGiveWay(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "findings.json")
	got := steamer(t, t.TempDir(), "charts", "check", "../../charts/postgresql", "--dialect", "none", "-o", "json", "--output", file)
	require.NotEqual(t, exit.Invalid, got.code, got.stderr)
	require.FileExists(t, file)
	require.Empty(t, got.stdout)
}
