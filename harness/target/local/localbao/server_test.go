package localbao_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// TestServer starts everything, checks what self-initialisation left behind and
// that Stop leaves nothing behind.
func TestServer(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx := t.Context()
	dir, err := os.MkdirTemp("", "localbao-test-") // t.TempDir is out of reach for user postgres
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	defer func() { require.NoError(t, os.RemoveAll(dir)) }()

	s, err := localbao.Start(ctx, localbao.Options{Dir: dir})
	require.NoError(t, err)
	client := openbao.New(s.Address, nil)
	defer client.Close()

	h, err := client.Health(ctx)
	require.NoError(t, err)
	require.True(t, h.Active(), "%+v", h)

	// A login with nonsense is refused by the mount the self-initialisation made.
	r, err := client.Do(ctx, openbao.Request{
		Method: http.MethodGet, Path: "sys/policies/acl/secrets_manager",
		Auth: &openbao.InlineAuth{Path: "auth/gitlab_rails_jwt/login", Role: "app", JWT: "x"},
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, r.Status)
	require.True(t, r.InlineAuthFailed)
	require.Contains(t, r.Message(), "error validating token")

	audit, err := os.ReadFile(s.AuditLog())
	require.NoError(t, err)
	require.Contains(t, string(audit), `"path":"auth/gitlab_rails_jwt/login"`)

	conn, err := pgx.Connect(ctx, s.DatabaseURL())
	require.NoError(t, err)
	var locks int
	require.NoError(t, conn.QueryRow(ctx, "SELECT count(*) FROM openbao_ha_locks").Scan(&locks))
	require.Equal(t, 1, locks, "the active node holds the lock")
	require.NoError(t, conn.Close(ctx))

	openbao, postgres := s.Nodes()[0].PID(), s.DatabasePID()
	s.Stop()
	s.Stop()
	require.NoFileExists(t, filepath.Join("/proc", itoa(openbao), "stat"))
	require.NoFileExists(t, filepath.Join("/proc", itoa(postgres), "stat"))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestStartWithoutBinary(t *testing.T) {
	t.Parallel()
	_, err := localbao.Start(context.Background(), localbao.Options{Binary: "/nowhere/bao"})
	require.ErrorContains(t, err, "make openbao")
	require.Equal(t, exit.Environment, exit.CodeOf(err))
}

func itoa(n int) string { return strconv.Itoa(n) }
