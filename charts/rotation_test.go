package charts_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rotation changes the unseal key as the README says, and proves what it warns of: after
// self-initialisation there is no recovery key, and without one OpenBao does not encrypt its
// stored keys again.
func (s *site) rotation(t *testing.T) {
	values := s.fresh(t, "rotation")
	out, err := s.bootstrap(t, values, "http://127.0.0.1:1")
	require.NoError(t, err, out)

	renewed := filepath.Join(t.TempDir(), "key")
	key := make([]byte, 32)
	_, err = rand.Read(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(renewed, key, 0o600))
	both := with(t, values, fmt.Sprintf("config: {unseal: {static: {currentKeyId: new, currentKey: %s, "+
		"previousKeyId: static-unseal-0, previousKey: %s, previousKeySecret: s}}}", renewed, s.key))
	alone := with(t, values, fmt.Sprintf("config: {unseal: {static: {currentKeyId: new, currentKey: %s}}}", renewed))

	n := s.startNode(t, both)
	becomes(t, n, http.StatusOK)
	require.NotContains(t, n.log(), "upgrading stored keys")
	n.stop()
	n = s.startNode(t, alone)
	becomes(t, n, http.StatusServiceUnavailable)
	n.stop()

	n = s.startNode(t, both)
	becomes(t, n, http.StatusOK)
	s.makeRecoveryKey(t, n)
	n.stop()
	n = s.startNode(t, both)
	becomes(t, n, http.StatusOK)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Contains(c, n.log(), "upgrading stored keys")
	}, startTime, pollEvery)
	n.stop()
	n = s.startNode(t, alone)
	becomes(t, n, http.StatusOK)
	s.login(t, n)
}

// makeRecoveryKey gives the seal its first recovery key, with the command in the README.
func (s *site) makeRecoveryKey(t *testing.T, n *node) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(s.bin, "bao"), "write", "sys/rotate/recovery/init",
		"secret_shares=1", "secret_threshold=1")
	cmd.Env = append(slices.Clone(n.env), "BAO_TOKEN="+s.token(t, n))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err)
	require.Regexp(t, `(?m)^keys_base64 +\[\S{40,}\]$`, string(out), "the only time that the key is shown")
}

// otherAudit proves that another audit file does not keep OpenBao from starting, which another
// option of a known device does.
func (s *site) otherAudit(t *testing.T) {
	values := s.fresh(t, "other_audit")
	out, err := s.bootstrap(t, values, "http://127.0.0.1:1")
	require.NoError(t, err, out)
	n := s.startNode(t, values)
	becomes(t, n, http.StatusOK)
	n.stop()

	file := filepath.Join(t.TempDir(), "audit.log")
	n = s.startNode(t, with(t, values, "config: {audit: {file: {path: "+file+"}}}"))
	becomes(t, n, http.StatusOK)
	s.login(t, n)
	records, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(records), "auth/gitlab_rails_jwt/login")
	n.stop()

	n = s.startNode(t, with(t, values, `auditTpl: "- file: {own: {description: Own, options: {file_path: `+file+`}}}"`))
	becomes(t, n, http.StatusOK)
	s.login(t, n)
}
