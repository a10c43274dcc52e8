package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

// TestTrendOutputFirst: where the trends cannot be written nothing is added, so that the command
// can be repeated.
func TestTrendOutputFirst(t *testing.T) {
	t.Parallel()
	const run = "../result/testdata/run-v1.json"
	dir, file := filepath.Join(t.TempDir(), "history"), filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	code, _, message := call(t, "trend", dir, "--add", run, "--output", filepath.Join(file, "trends"))
	require.Equal(t, exit.Invalid, code, message)
	require.Contains(t, message, "--output")
	require.NoDirExists(t, dir)

	output := filepath.Join(t.TempDir(), "trends")
	code, text, message := call(t, "trend", dir, "--add", run, "--output", output)
	require.Equal(t, exit.Pass, code, message)
	require.Contains(t, text, "cloud-native, openbao, Kubernetes 1.36, ")
	files, err := os.ReadDir(output)
	require.NoError(t, err)
	require.Len(t, files, 2, "one run makes no plot, and nothing else is left behind")
	require.Equal(t, []string{"trends.json", "trends.md"}, []string{files[0].Name(), files[1].Name()})
	record, err := os.ReadFile(filepath.Join(output, "trends.json"))
	require.NoError(t, err)
	code, text, message = call(t, "trend", dir, "-o", "json")
	require.Equal(t, exit.Pass, code, message)
	require.JSONEq(t, string(record), text)
	require.Contains(t, text, `"metric": "fetch_p95_ms"`)
	added, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, added, 1)
}

// TestRecordFormat: what is neither text nor JSON is refused before anything is done.
func TestRecordFormat(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"run"}, {"compare"}, {"gate"}, {"trend", t.TempDir()}, {"upgrade"}, {"doctor"}} {
		code, _, message := call(t, append(args, "-o", "yaml")...)
		require.Equal(t, exit.Invalid, code, args)
		require.Contains(t, message, "--format yaml: it has no such value", args)
	}
}
