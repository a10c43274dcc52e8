package faults

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// TestServerThatDoesNotStart: where storage has half a namespace, no node leads any more. The
// report has the panic, and says what is stored. OpenBao 2.4.0 leaves storage so where a leader
// dies while it deletes a namespace.
func TestServerThatDoesNotStart(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ways := &proxies{}
	defer ways.stop()
	server, err := localbao.Start(ctx, localbao.Options{Through: ways.next})
	require.NoError(t, err)
	defer server.Stop()
	_, err = server.Join(ctx)
	require.NoError(t, err)
	p := &pool{tenants: 1, secrets: 1, versions: map[string]int{}, readers: map[string]string{}}
	require.NoError(t, p.provision(ctx, server))
	for i, n := range server.Nodes() {
		p.nodes = append(p.nodes, &node{Node: n, db: ways.list[i], pod: i})
	}
	var out buffer
	began := time.Now()
	p.record, err = history.NewRecorder(&out, history.Header{}, func() time.Duration { return time.Since(began) })
	require.NoError(t, err)
	w := newWatcher(p.record, p.nodes, server.DatabaseURL)
	following, stop := context.WithCancel(ctx)
	var followed sync.WaitGroup
	followed.Go(func() { w.run(following) })
	n := &nemesis{watcher: w, server: server, token: p.token, spaces: newClient(p, 7, 1)}
	require.NoError(t, n.settled(ctx))
	require.NoError(t, n.spaces.furnish(ctx, spaceKey("t0", "half")))
	require.NoError(t, n.do(ctx, 0, Step{Fault: "term-active"}), "a whole one does not matter")

	db, err := pgx.Connect(ctx, server.DatabaseURL())
	require.NoError(t, err)
	_, err = db.Exec(ctx, `DELETE FROM openbao_kv_store WHERE path LIKE '/namespaces/%/core/mounts/'
		AND path LIKE '/namespaces/' || (SELECT key FROM openbao_kv_store
			WHERE path LIKE '/namespaces/%/core/namespaces/') || '/%'`)
	require.NoError(t, err)
	require.NoError(t, db.Close(ctx))
	require.ErrorIs(t, n.do(ctx, 1, Step{Fault: "term-active"}), errBroken)
	stop()
	followed.Wait()
	require.NoError(t, p.record.Close())

	r, err := history.NewReader("history", &out)
	require.NoError(t, err)
	report, err := check.History(r)
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, check.Text(&text, report))
	require.Equal(t, result.Fail, report.Verdict)
	require.Equal(t, len(p.nodes), report.Rules["S11"], text.String())
	require.Positive(t, report.Rules["S13"], text.String())
	for _, part := range []string{
		"after fault 1 (term-active, number 2 of its kind)", "panic: ", "loadEntities", "with 1 mounts",
	} {
		require.Contains(t, text.String(), part)
	}
}
