package topology

import (
	"context"
	"io"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// TestSession asks the psql and the PostgreSQL of this machine.
func TestSession(t *testing.T) {
	t.Parallel()
	server, err := localbao.Start(t.Context(), localbao.Options{})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	psql, arguments := loadtest.PSQL(t, server, "postgres")
	client := &engine.Engine{Binary: psql} // the engine's way to run a client runs any program
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var started, single atomic.Int32
	s := &session{
		ctx: ctx,
		start: func(ctx context.Context, in io.Reader, out io.Writer) error {
			started.Add(1)
			return client.Converse(ctx, in, out, arguments...)
		},
		once: func(ctx context.Context, sql string) (string, error) {
			single.Add(1)
			return client.Run(ctx, append(arguments, "--command", sql)...)
		},
	}
	defer s.hangUp()

	for range 3 {
		answer, err := s.Query(ctx, "SELECT 1 UNION SELECT 2 -- and a remark")
		require.NoError(t, err)
		require.Equal(t, "1\n2", answer)
	}
	answer, err := s.Query(ctx, "SELECT 1 WHERE false")
	require.NoError(t, err)
	require.Empty(t, answer)
	require.EqualValues(t, 1, started.Load(), "one psql answers all")
	require.Zero(t, single.Load())

	_, err = s.Query(ctx, "SELECT nonsense")
	require.ErrorContains(t, err, "nonsense", "what PostgreSQL says")
	require.EqualValues(t, 1, single.Load())
	answer, err = s.Query(ctx, "SELECT 3")
	require.NoError(t, err)
	require.Equal(t, "3", answer)
	require.EqualValues(t, 2, started.Load(), "the first psql ended with the error")

	short, cut := context.WithCancel(ctx)
	context.AfterFunc(ctx, cut)
	go cut()
	_, err = s.Query(short, "SELECT pg_sleep(60)")
	require.ErrorIs(t, err, context.Canceled)
	answer, err = s.Query(ctx, "SELECT 4")
	require.NoError(t, err, "a query that was given up leaves no answer behind for the next one")
	require.Equal(t, "4", answer)
}
