package faults

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"gitlab.com/steamer/steamer/harness/faults/pgproxy"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// node is one OpenBao, by its place in the list a pod of the history.
type node struct {
	*localbao.Node
	db  *pgproxy.Proxy // its way to PostgreSQL
	pod int
	out atomic.Bool // down or frozen
}

func (n *node) address() string { return n.Address }

// health asks the node, with a short time limit.
func (n *node) health(ctx context.Context) (openbao.Health, error) {
	client := openbao.New(n.Address, openbao.Trusting(false, nil))
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return client.Health(ctx)
}

// watcher follows the row of the lock that the leader holds in PostgreSQL.
type watcher struct {
	record *history.Recorder
	nodes  []*node
	url    string    // of PostgreSQL
	db     *pgx.Conn // nil while there is none
	term   int
	blind  atomic.Bool            // the lock could not be read last time
	holder atomic.Pointer[string] // identity in the lock's row; nil before the first
	leader atomic.Int32           // the pod of the last term
}

// watchEvery is how often the lock is read, and watchTime bounds one reading.
const (
	watchEvery = 100 * time.Millisecond
	watchTime  = 5 * time.Second
)

func newWatcher(record *history.Recorder, nodes []*node, url string) *watcher {
	w := &watcher{record: record, nodes: nodes, url: url}
	w.leader.Store(-1)
	return w
}

// run records each new term, until ctx ends. While PostgreSQL does not answer it is blind.
func (w *watcher) run(ctx context.Context) {
	defer w.forget(ctx)
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	recorded := ""
	for {
		holder, err := w.read(ctx)
		w.blind.Store(err != nil)
		if err != nil {
			w.forget(ctx)
		}
		if holder != "" {
			w.holder.Store(&holder)
		}
		if holder != "" && holder != recorded {
			if pod := w.active(ctx); pod >= 0 {
				recorded = holder
				w.leader.Store(int32(pod))
				w.record.Event(history.Event{Kind: history.Lead, Number: w.term, Pod: pod})
				w.term++
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// read is the identity of the lock's holder, "" for none.
func (w *watcher) read(ctx context.Context) (holder string, err error) {
	ctx, cancel := context.WithTimeout(ctx, watchTime)
	defer cancel()
	if w.db == nil {
		if w.db, err = pgx.Connect(ctx, w.url); err != nil {
			return "", err
		}
	}
	err = w.db.QueryRow(ctx, "SELECT ha_identity FROM openbao_ha_locks WHERE NOW() <= valid_until").Scan(&holder)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return holder, err
}

// forget closes the connection.
func (w *watcher) forget(ctx context.Context) {
	if w.db != nil {
		_ = w.db.Close(context.WithoutCancel(ctx))
		w.db = nil
	}
}

// active is the pod of the node that says it leads, of those that are neither down nor frozen; -1
// for none.
func (w *watcher) active(ctx context.Context) int {
	for _, n := range w.nodes {
		if n.out.Load() {
			continue
		}
		if h, err := n.health(ctx); err == nil && h.Active() {
			return n.pod
		}
	}
	return history.NoPod
}

// held is the identity of the lock's last holder, "" before the first.
func (w *watcher) held() string {
	if holder := w.holder.Load(); holder != nil {
		return *holder
	}
	return ""
}
