package localbao_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// TestNodes runs two nodes over TLS on one database, reached by another name, and hands leadership
// over.
func TestNodes(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var started atomic.Int64
	asked := 0
	s, err := localbao.Start(ctx, localbao.Options{
		TLS: true, Env: []string{"GOMAXPROCS=1"},
		Through: func(postgres string) (string, error) { asked++; return postgres, nil },
		Started: func(pid int) error { started.Add(1); return nil },
	})
	require.NoError(t, err)
	defer s.Stop()
	require.Equal(t, 1, asked)
	require.Regexp(t, "^https://", s.Address)
	first := s.Nodes()[0]
	second, err := s.Join(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(2), started.Load())
	require.Equal(t, 2, asked, "once for each node")

	health := func(n *localbao.Node) openbao.Health {
		client := openbao.New(n.Address, s.HTTPClient())
		defer client.Close()
		h, err := client.Health(ctx)
		require.NoError(t, err)
		return h
	}
	require.True(t, health(first).Active())
	require.Equal(t, http.StatusTooManyRequests, health(second).Status)

	first.Stop()
	_, err = wait.Until(ctx, wait.For{What: "the second node leads", Deadline: time.Minute}, func(context.Context) error {
		if !health(second).Active() {
			return context.DeadlineExceeded
		}
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, first.Start(ctx))
	require.Equal(t, http.StatusTooManyRequests, health(first).Status)
	second.Kill()
	second.Kill() // a second time does no harm
}

// TestRestartDatabase: data that was committed is there after a restart in order and after a
// crash.
func TestRestartDatabase(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s, err := localbao.Start(ctx, localbao.Options{Postgres: []string{"synchronous_commit=on"}})
	require.NoError(t, err)
	defer s.Stop()
	query := func(statement string) (text string) {
		conn, err := pgx.Connect(ctx, s.DatabaseURL())
		require.NoError(t, err)
		require.NoError(t, conn.QueryRow(ctx, statement).Scan(&text))
		require.NoError(t, conn.Close(ctx))
		return text
	}
	require.Equal(t, "on", query("SHOW synchronous_commit"))
	conn, err := pgx.Connect(ctx, s.DatabaseURL())
	require.NoError(t, err)
	_, err = conn.Exec(ctx, "CREATE TABLE kept AS SELECT 1")
	require.NoError(t, err)
	require.NoError(t, conn.Close(ctx))
	for _, crash := range []bool{false, true} {
		before, pid := query("SELECT pg_postmaster_start_time()::text"), s.DatabasePID()
		s.StopDatabase(crash)
		_, err := pgx.Connect(ctx, s.DatabaseURL())
		require.Error(t, err)
		require.NoError(t, s.StartDatabase(ctx))
		require.NotEqual(t, before, query("SELECT pg_postmaster_start_time()::text"))
		require.NotEqual(t, pid, s.DatabasePID())
		require.Equal(t, "1", query("SELECT count(*)::text FROM kept"))
	}
}
