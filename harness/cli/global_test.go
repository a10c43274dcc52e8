package cli_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

// TestFirstPage: commands for work on Steamer are on the whole page only.
func TestFirstPage(t *testing.T) {
	t.Parallel()
	first := steamer(t, t.TempDir(), "--help")
	whole := steamer(t, t.TempDir(), "help", "--all")
	for _, got := range []outcome{first, whole} {
		require.Equal(t, exit.Pass, got.code, got.stderr)
		require.Contains(t, got.stdout, "Measure and compare:\n")
	}
	for _, name := range []string{"mutants", "calibrate", "findings", "engine"} {
		require.NotContains(t, first.stdout, "\n  "+name+" ")
		require.Contains(t, whole.stdout, "\n  "+name+" ")
	}
	one := steamer(t, t.TempDir(), "help", "cluster", "gc")
	require.Equal(t, exit.Pass, one.code, one.stderr)
	require.Contains(t, one.stdout, "steamer cluster gc [flags]")
	require.Equal(t, exit.Invalid, steamer(t, t.TempDir(), "help", "moon").code)
}

// TestVersion prints it, as text and as JSON.
func TestVersion(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"--version"}} {
		got := steamer(t, t.TempDir(), args...)
		require.Equal(t, exit.Pass, got.code, got.stderr)
		require.Contains(t, got.stdout, "steamer ")
	}
	got := steamer(t, t.TempDir(), "version", "-o", "json")
	var about map[string]string
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &about))
	require.NotEmpty(t, about["version"])
	require.Equal(t, exit.Invalid, steamer(t, t.TempDir(), "version", "-o", "yaml").code)
}

// TestGlobalFlags: what is no value of a flag is refused before anything is done.
func TestGlobalFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--color", "pink"}, {"--log-format", "xml"}, {"--quiet", "--verbose"},
	} {
		got := steamer(t, t.TempDir(), append(args, "version")...)
		require.Equal(t, exit.Invalid, got.code, got.stderr)
		require.Contains(t, got.stderr, args[0])
		require.Contains(t, got.stderr, "hint: ")
	}
	got := steamer(t, t.TempDir(), "--log-format", "json", "run", "--tier", "7")
	var record map[string]any
	require.NoError(t, json.Unmarshal([]byte(got.stderr), &record), got.stderr)
	require.Equal(t, "ERROR", record["level"])
	require.InDelta(t, float64(exit.Invalid), record["code"], 0)
	require.Contains(t, record["msg"], "tier 7")
}

// TestColor: always colours what is no terminal, never and auto do not.
func TestColor(t *testing.T) {
	t.Parallel()
	chart := miniature(t, "dada: {}\n")
	for color, want := range map[string]bool{"always": true, "auto": false, "never": false} {
		got := steamer(t, t.TempDir(), "charts", "check", chart, "--color", color)
		require.Equal(t, exit.Fail, got.code, got.stderr)
		require.Equal(t, want, strings.Contains(got.stdout, "\x1b["), color)
	}
}

// TestLists prints data as JSON.
func TestLists(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"test", "--list"}, {"charts", "rules"}, {"mutants", "--list"}, {"findings", "--list"}, {"images", "list"},
	} {
		got := steamer(t, t.TempDir(), append(args, "-o", "json")...)
		require.Equal(t, exit.Pass, got.code, "%v: %s", args, got.stderr)
		var list []map[string]any
		require.NoError(t, json.Unmarshal([]byte(got.stdout), &list), args)
		require.NotEmpty(t, list)
		require.NotContains(t, list[0], "ID", "names of fields begin with a small letter")
	}
	got := steamer(t, t.TempDir(), "test", "-o", "json")
	require.Equal(t, exit.Invalid, got.code)
	require.Contains(t, got.stderr, "--list")
}

// TestComplete gives a shell the values of flags.
func TestComplete(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"cloud-native-hybrid":    {"run", "--topology", "cloud-native-"},
		"smoke":                  {"run", "--profile", "sm"},
		"access/own-secret":      {"test", "--explain", "access/own"},
		"security/pod-security=": {"charts", "check", "x", "--skip", "security/pod"},
		"community":              {"gate", "--dialect", "com"},
		"json":                   {"version", "--format", "j"},
	} {
		got := steamer(t, t.TempDir(), append([]string{"__complete"}, args...)...)
		require.Equal(t, exit.Pass, got.code, got.stderr)
		require.Contains(t, strings.Split(got.stdout, "\n"), want, "%v", args)
	}
}
