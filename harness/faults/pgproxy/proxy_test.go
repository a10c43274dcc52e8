package pgproxy_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/harness/faults/pgproxy"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// way is a proxy to a real PostgreSQL, with the client that OpenBao uses.
type way struct {
	*pgproxy.Proxy
	direct *pgx.Conn
	db     *sql.DB
}

func newWay(t *testing.T, address string) *way {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	p, err := pgproxy.Start(u.Host)
	require.NoError(t, err)
	w := &way{Proxy: p}
	w.direct, err = pgx.Connect(t.Context(), address)
	require.NoError(t, err)
	u.Host = p.Address()
	config, err := pgx.ParseConfig(u.String())
	require.NoError(t, err)
	w.db = stdlib.OpenDB(*config)
	w.db.SetMaxOpenConns(2)
	t.Cleanup(func() {
		require.NoError(t, w.db.Close())
		p.Stop()
		require.NoError(t, w.direct.Close(context.WithoutCancel(t.Context())))
	})
	return w
}

// put writes a row with a statement of its own, or in a transaction.
func (w *way) put(ctx context.Context, table, key string, transaction bool) error {
	statement := "INSERT INTO " + table + " VALUES ($1) ON CONFLICT (key) DO NOTHING"
	if !transaction {
		_, err := w.db.ExecContext(ctx, statement, key)
		return err
	}
	tx, err := w.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+table+" WHERE key = $1", key).Scan(&n); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, statement, key); err != nil {
		return err
	}
	return tx.Commit()
}

// has reads a row without the proxy.
func (w *way) has(t *testing.T, key string) bool {
	t.Helper()
	var n int
	require.NoError(t, w.direct.QueryRow(t.Context(), "SELECT count(*) FROM data WHERE key = $1", key).Scan(&n))
	return n > 0
}

// TestProxy breaks the way to a real PostgreSQL at each point, and reads beside the proxy what was
// done.
func TestProxy(t *testing.T) {
	defer goleak.VerifyNone(t)
	server, err := localbao.Start(t.Context(), localbao.Options{})
	require.NoError(t, err)
	defer server.Stop()
	conn, err := pgx.Connect(t.Context(), server.DatabaseURL())
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(),
		"CREATE TABLE data (key TEXT PRIMARY KEY); CREATE TABLE test_ha_locks (key TEXT PRIMARY KEY)")
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	for name, test := range map[string]func(*testing.T, *way){
		"commits": testCommits, "refused commit": testRefusedCommit, "cut": testCut, "lose": testLose, "delay": testDelay,
		"disarm": testDisarm, "hold": testHold,
	} {
		t.Run(name, func(t *testing.T) { test(t, newWay(t, server.DatabaseURL())) })
	}
}

func testCommits(t *testing.T, w *way) {
	for _, tc := range []struct {
		name        string
		point       pgproxy.Point
		transaction bool
		lands       bool
	}{
		{"before-transaction", pgproxy.Before, true, false},
		{"before-statement", pgproxy.Before, false, false},
		{"after-transaction", pgproxy.After, true, true},
		{"after-statement", pgproxy.After, false, true},
	} {
		require.NoError(t, w.put(t.Context(), "data", tc.name+"-first", tc.transaction), tc.name)
		before := w.Counts()
		cut := make(chan int)
		armed, cancel := context.WithTimeout(t.Context(), time.Minute)
		go func() { cut <- w.CutCommits(armed, tc.point, 1) }()
		landed := 0
		for i := 0; ; i++ { // until the proxy is armed
			require.NoError(t, w.put(t.Context(), "test_ha_locks", tc.name, tc.transaction), "the lock is no data")
			require.True(t, w.Identified(tc.name))
			require.False(t, w.Identified(tc.name+"-first"))
			key := tc.name + strings.Repeat("+", i)
			if err := w.put(t.Context(), "data", key, tc.transaction); err != nil {
				require.Equal(t, tc.lands, w.has(t, key), tc.name)
				break
			}
			require.True(t, w.has(t, key))
			landed++
		}
		require.Equal(t, 1, <-cut, tc.name)
		cancel()
		after := w.Counts()
		require.Equal(t, before.Cut+1, after.Cut)
		require.Equal(t, 1, after.Before-before.Before+after.After-before.After)
		require.Equal(t, tc.point == pgproxy.Before, after.Before > before.Before)
		require.Equal(t, before.Commits+landed, after.Commits, "commits that went through, without those of the lock")
		require.NoError(t, w.put(t.Context(), "data", tc.name+"-last", tc.transaction), "only one was cut")
	}
}

// testRefusedCommit: a transaction that PostgreSQL rolls back is not cut after its commit.
func testRefusedCommit(t *testing.T, w *way) {
	ctx, cancel := context.WithCancel(t.Context())
	cut := make(chan int)
	go func() { cut <- w.CutCommits(ctx, pgproxy.After, 1) }()
	tx, err := w.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "INSERT INTO data VALUES ($1)", "refused")
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "INSERT INTO data VALUES ($1)", "refused")
	require.ErrorContains(t, err, "23505")
	require.Error(t, tx.Commit())
	_, err = w.db.ExecContext(t.Context(), "INSERT INTO none VALUES ($1)", "refused")
	require.ErrorContains(t, err, "42P01")
	require.False(t, w.has(t, "refused"))
	require.Equal(t, map[string]int{"23505": 1, "42P01": 1}, w.Counts().Errors)
	require.Zero(t, w.Counts().Cut)
	cancel()
	require.Zero(t, <-cut)
}

// testDisarm: what was not cut in time is not cut later.
func testDisarm(t *testing.T, w *way) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Zero(t, w.CutCommits(ctx, pgproxy.Before, 3))
	require.NoError(t, w.put(t.Context(), "data", "disarmed", true))
	require.Zero(t, w.Counts().Cut)
}

// testHold: statements on the lock wait, and others do not.
func testHold(t *testing.T, w *way) {
	w.HoldLock(true)
	w.HoldLock(true)
	renewed := make(chan error, 1)
	go func() { renewed <- w.put(t.Context(), "test_ha_locks", "held", false) }()
	for range 20 {
		require.NoError(t, w.put(t.Context(), "data", "beside", false))
	}
	require.Empty(t, renewed)
	require.False(t, w.Identified("held"))
	w.HoldLock(false)
	require.NoError(t, <-renewed)
	require.True(t, w.Identified("held"))
	require.NoError(t, w.put(t.Context(), "test_ha_locks", "later", false))
}

func testCut(t *testing.T, w *way) {
	require.NoError(t, w.db.PingContext(t.Context()))
	ports := w.Ports()
	require.Len(t, ports, 1)
	var n int
	require.NoError(t, w.direct.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE client_port = $1",
		ports[0]).Scan(&n))
	require.Equal(t, 1, n, "PostgreSQL knows the connection by this port")
	w.Refuse(true)
	require.Equal(t, 1, w.Cut())
	require.Zero(t, w.Cut())
	require.Error(t, w.db.PingContext(t.Context()))
	require.Positive(t, w.Counts().Refused)
	w.Refuse(false)
	require.NoError(t, w.db.PingContext(t.Context()))
}

// testLose: what is asked meanwhile has no answer and no effect, and its connection is reset
// afterwards, for the server, too.
func testLose(t *testing.T, w *way) {
	require.NoError(t, w.put(t.Context(), "data", "kept", true))
	port := w.Ports()[0]
	w.Lose(true)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.Error(t, w.put(ctx, "data", "lost", false))
	require.False(t, w.Identified("lost"))
	require.Contains(t, w.Ports(), port, "the server does not see that the client has gone")
	require.Positive(t, w.Counts().Lost)
	w.Lose(false)
	require.NotContains(t, w.Ports(), port)
	require.NoError(t, w.put(t.Context(), "data", "found", true))
	require.True(t, w.has(t, "found"))
	require.False(t, w.has(t, "lost"))
}

func testDelay(t *testing.T, w *way) {
	require.NoError(t, w.db.PingContext(t.Context()))
	w.Delay(50 * time.Millisecond)
	began := time.Now()
	_, err := w.db.ExecContext(t.Context(), "SELECT 1")
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(began), 100*time.Millisecond, "both ways")
	require.GreaterOrEqual(t, w.Counts().Delayed, 2)
	w.Delay(0)
}

// TestPlain breaks the way to a server of another protocol.
func TestPlain(t *testing.T) {
	defer goleak.VerifyNone(t)
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		_, _ = w.Write(sent)
	}))
	defer served.Close()
	p, err := pgproxy.StartPlain(served.Listener.Addr().String())
	require.NoError(t, err)
	defer p.Stop()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	body := strings.Repeat("some bytes ", 5000)
	echo := func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.Address(), strings.NewReader(body))
		require.NoError(t, err)
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		answer, err := io.ReadAll(response.Body)
		if err == nil {
			require.True(t, body == string(answer), "%d bytes", len(answer))
		}
		return errors.Join(err, response.Body.Close())
	}
	require.NoError(t, echo(time.Minute))
	p.Delay(20 * time.Millisecond)
	began := time.Now()
	require.NoError(t, echo(time.Minute))
	require.GreaterOrEqual(t, time.Since(began), 40*time.Millisecond, "both ways")
	require.GreaterOrEqual(t, p.Counts().Delayed, 2)
	p.Delay(0)
	p.Lose(true)
	require.ErrorIs(t, echo(50*time.Millisecond), context.DeadlineExceeded)
	p.Lose(false)
	require.Positive(t, p.Counts().Lost)
	require.NoError(t, echo(time.Minute))
	p.Refuse(true)
	require.Equal(t, 1, p.Cut())
	for p.Counts().Refused == 0 { // the first attempt may be on the connection that was cut
		require.Error(t, echo(time.Minute))
	}
	p.Refuse(false)
	p.Lead("127.0.0.1:1")
	require.Error(t, echo(time.Minute), "nothing is there")
	p.Lead(served.Listener.Addr().String())
	require.NoError(t, echo(time.Minute))
}

// TestNoServer: where no PostgreSQL is, and for what is none of its clients, a connection ends.
func TestNoServer(t *testing.T) {
	defer goleak.VerifyNone(t)
	p, err := pgproxy.Start("127.0.0.1:1")
	require.NoError(t, err)
	defer p.Stop()
	_, err = pgconn.Connect(t.Context(), "postgres://x@"+p.Address()+"/x?sslmode=disable")
	require.Error(t, err)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	other, err := pgproxy.Start(listener.Addr().String())
	require.NoError(t, err)
	defer other.Stop()
	for _, first := range []string{"\x00\x00\x00\x02", "\x00\x00\x00\x04", "GET / HTTP/1.1\r\n\r\n"} {
		conn, err := net.Dial("tcp", other.Address())
		require.NoError(t, err)
		_, err = conn.Write([]byte(first))
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
		_, err = conn.Read(make([]byte, 1))
		require.Error(t, err)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, conn.Close())
	}
}
