package faults

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// TestServerThatDoesNotStart: where storage has half a namespace, no node leads any more. The
// report has the panic, and says what is stored. OpenBao 2.4.0 leaves storage so where a leader
// dies while it deletes a namespace.
func TestServerThatDoesNotStart(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	n, server, judged := broken(t)
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
	report, text := judged()
	require.Equal(t, result.Fail, report.Verdict)
	require.Equal(t, len(n.nodes), report.Rules["S11"], text)
	require.Positive(t, report.Rules["S13"], text)
	for _, part := range []string{
		"after fault 1 (term-active, number 2 of its kind)", "panic: ", "loadEntities", "with 1 mounts",
	} {
		require.Contains(t, text, part)
	}
}

// TestSealedNodeIsStartedAgain: a node that stays sealed, here by a key that it read when it was
// started, is told of and started again.
func TestSealedNodeIsStartedAgain(t *testing.T) {
	t.Parallel()
	n, server, judged := broken(t)
	standby := n.nodes[1-n.leads().pod]
	file := filepath.Join(filepath.Dir(server.AuditLog()), "unseal.key")
	key, err := os.ReadFile(file)
	require.NoError(t, err)
	standby.Kill()
	require.NoError(t, os.WriteFile(file, make([]byte, len(key)), 0o600))
	short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.Error(t, standby.Start(short), "it is sealed")
	require.NoError(t, os.WriteFile(file, key, 0o600))
	require.NoError(t, n.settled(t.Context()))
	report, text := judged()
	require.Equal(t, map[string]int{"S13": 1}, report.Rules, text)
	require.Contains(t, text, "it stays sealed, and no fault sealed it")
}

// broken is two nodes that a test breaks, and what ends their history and judges it.
func broken(t *testing.T) (n *nemesis, server *localbao.Server, judged func() (*check.Report, string)) {
	t.Helper()
	ctx := t.Context()
	ways, peers, clients := &proxies{}, &proxies{plain: true}, &proxies{plain: true}
	t.Cleanup(ways.stop)
	t.Cleanup(peers.stop)
	t.Cleanup(clients.stop)
	server, err := localbao.Start(ctx, localbao.Options{Through: ways.next, Cluster: peers.next})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	_, err = server.Join(ctx)
	require.NoError(t, err)
	p := &pool{tenants: 1, secrets: 1, versions: map[string]int{}, readers: map[string]string{}}
	require.NoError(t, p.takeProcesses(server, ways, peers, clients))
	client := openbao.New(server.Address, server.HTTPClient())
	t.Cleanup(client.Close)
	require.NoError(t, p.provision(ctx, client))
	var out buffer
	began := time.Now()
	p.record, err = history.NewRecorder(&out, history.Header{}, func() time.Duration { return time.Since(began) })
	require.NoError(t, err)
	w := newWatcher(p.record, &processes{nodes: p.nodes, url: server.DatabaseURL}, p.nodes)
	following, stop := context.WithCancel(ctx)
	var followed sync.WaitGroup
	followed.Go(func() { w.run(following) })
	n = &nemesis{watcher: w, server: server, token: p.token, spaces: newClient(p, 7, 1)}
	require.NoError(t, n.settled(ctx))
	return n, server, func() (*check.Report, string) {
		stop()
		followed.Wait()
		require.NoError(t, p.record.Close())
		r, err := history.NewReader("history", &out)
		require.NoError(t, err)
		report, err := check.History(r)
		require.NoError(t, err)
		var text bytes.Buffer
		require.NoError(t, check.Text(&text, report))
		return report, text.String()
	}
}
