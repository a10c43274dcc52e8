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
	db      *pgproxy.Proxy // its way to PostgreSQL
	clients *pgproxy.Proxy // the way of clients to it; nil is directly
	peers   *pgproxy.Proxy // the way of other nodes to it
	pod     int
	out     atomic.Bool // down or frozen by a fault
	buried  int         // process that ended by itself, and was recorded
}

// address is where clients send requests.
func (n *node) address() string {
	if n.clients == nil {
		return n.Address
	}
	return "http://" + n.clients.Address()
}

// health asks the node, with a short time limit.
func (n *node) health(ctx context.Context) (openbao.Health, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return n.Health(ctx)
}

// watcher follows the row of the lock that the leader holds in PostgreSQL.
type watcher struct {
	record *history.Recorder
	nodes  []*node
	url    func() string // of PostgreSQL
	db     *pgx.Conn     // nil while there is none
	terms  int
	blind  atomic.Bool          // the lock could not be read last time
	last   atomic.Pointer[term] // that was recorded; nil before the first
}

// term is the time in which one node holds the lock under one identity.
type term struct {
	identity string
	pod      int
}

// watchEvery is how often the lock is read, and watchTime bounds one reading.
const (
	watchEvery = 100 * time.Millisecond
	watchTime  = 5 * time.Second
)

func newWatcher(record *history.Recorder, nodes []*node, url func() string) *watcher {
	return &watcher{record: record, nodes: nodes, url: url}
}

// run records each new term once its node says that it leads, until ctx ends. Which node that is,
// its way to PostgreSQL has seen: one that lost the lock may say for a while that it leads. While
// PostgreSQL does not answer it is blind.
func (w *watcher) run(ctx context.Context) {
	defer w.forget(ctx)
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		holder, err := w.read(ctx)
		w.blind.Store(err != nil)
		if err != nil {
			w.forget(ctx)
		}
		if holder != "" && holder != w.held() {
			w.begin(ctx, holder)
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
		if w.db, err = pgx.Connect(ctx, w.url()); err != nil {
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

// begin records the term of the lock's holder, if that says that it leads.
func (w *watcher) begin(ctx context.Context, holder string) {
	for _, n := range w.nodes {
		if !n.db.Identified(holder) {
			continue
		}
		if h, err := n.health(ctx); err == nil && h.Active() {
			w.record.Event(history.Event{Kind: history.Lead, Number: w.terms, Pod: n.pod})
			w.terms++
			w.last.Store(&term{holder, n.pod})
		}
	}
}

// held is the identity under which the lock was held in the last term, "" before the first.
func (w *watcher) held() string {
	if t := w.last.Load(); t != nil {
		return t.identity
	}
	return ""
}

// leader is the pod of the last term, history.NoPod before the first.
func (w *watcher) leader() int {
	if t := w.last.Load(); t != nil {
		return t.pod
	}
	return history.NoPod
}
