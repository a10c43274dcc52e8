package scenarios_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNoSecretInAuditLog gives the leak scenario the audit log of a real OpenBao
// that has just served, and refused, every kind of request there is a scenario for.
func TestNoSecretInAuditLog(t *testing.T) {
	w := newWorld(t, 30000)
	for _, id := range []string{"access/own-secret", "access/other-project", "abuse/token-expired"} {
		judge(t, run(t, w.Env, id), "")
	}
	dir := t.TempDir()
	raw, err := os.ReadFile(w.AuditFile)
	require.NoError(t, err)
	require.Greater(t, bytes.Count(raw, []byte("\n")), 100, "there is an audit log to search")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "audit.log"), raw, 0o600))
	w.Artifacts = dir
	r := run(t, w.Env, "hygiene/no-secret-leaks")
	judge(t, r, "")
	require.GreaterOrEqual(t, r.Measured["searched_bytes"], float64(len(raw)))
}
