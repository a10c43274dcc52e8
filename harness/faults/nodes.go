package faults

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// node is one OpenBao, by its place in the list a pod of the history.
type node struct {
	*localbao.Node
	pod    int
	out    atomic.Bool // down or frozen
	buried int         // process that ended by itself, and was recorded
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
	db     *pgx.Conn
	term   int
	holder atomic.Pointer[string] // identity in the lock's row; nil before the first
	leader atomic.Int32           // the pod of the last term
}

// watchEvery is how often the lock is read.
const watchEvery = 100 * time.Millisecond

func newWatcher(ctx context.Context, record *history.Recorder, nodes []*node, url string) (*watcher, error) {
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("watching the lock: %w", err)
	}
	w := &watcher{record: record, nodes: nodes, db: db}
	w.leader.Store(-1)
	return w, nil
}

// run records each new term, until ctx ends.
func (w *watcher) run(ctx context.Context) error {
	defer func() { _ = w.db.Close(context.WithoutCancel(ctx)) }()
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	recorded := ""
	for {
		var holder string
		err := w.db.QueryRow(ctx, "SELECT ha_identity FROM openbao_ha_locks WHERE NOW() <= valid_until").Scan(&holder)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, pgx.ErrNoRows):
			holder = ""
		case err != nil:
			return fmt.Errorf("watching the lock: %w", err)
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
			return nil
		case <-ticker.C:
		}
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
