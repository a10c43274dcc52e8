package faults

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"gitlab.com/steamer/steamer/harness/faults/pgproxy"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// node is one OpenBao: a process, or the pod that is in a place of a chart's.
type node struct {
	*localbao.Node                         // nil on a cluster
	db             *pgproxy.Proxy          // its way to PostgreSQL; nil on a cluster
	at             atomic.Pointer[podInfo] // nil for a process
	ca             []byte                  // of its API; nil for plain HTTP
	pod            int                     // place in the list of nodes; of a process also its pod in the history
	out            atomic.Bool             // down or frozen by a fault
	buried         int                     // process that ended by itself, and was recorded
}

// number is the node's pod in the history.
func (n *node) number() int {
	if at := n.at.Load(); at != nil {
		return at.number
	}
	return n.pod
}

// address is where clients send requests.
func (n *node) address() string {
	if at := n.at.Load(); at != nil {
		return at.url
	}
	return n.Address
}

// reach implements way.
func (n *node) reach() (address string, pod int) {
	if at := n.at.Load(); at != nil { // both of one pod
		return at.url, at.number
	}
	return n.address(), n.pod
}

// health asks the node, with a short time limit.
func (n *node) health(ctx context.Context) (openbao.Health, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	client := n.client()
	defer client.Close()
	return client.Health(ctx)
}

// leading asks the node whether it leads, with a short time limit.
func (n *node) leading(ctx context.Context) (openbao.Leading, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	client := n.client()
	defer client.Close()
	return client.Leading(ctx)
}

// client is one of the node's own API that keeps no connection.
func (n *node) client() *openbao.Client {
	address := n.address()
	if n.Node != nil {
		address = n.Address
	}
	return openbao.New(address, openbao.Trusting(false, n.ca))
}

// way leads clients to OpenBao.
type way interface {
	// reach is its URL, and the pod that answers there; history.NoPod where that is not known.
	reach() (address string, pod int)
}

// service is the way by a Service.
type service string

func (s service) reach() (string, int) { return string(s), history.NoPod }

// system is what OpenBao runs on: processes of this machine, or a cluster.
type system interface {
	// holder is the identity of the lock's holder, "" for none. forget drops what it keeps.
	holder(ctx context.Context) (string, error)
	forget(ctx context.Context)
	// leading is the node that leads a new term, in which the lock has an identity; nil while that
	// is not known.
	leading(ctx context.Context, identity string) *node
	// serves returns what keeps the nodes from serving.
	serves(ctx context.Context, leader int) error
	// patience is how much longer than a process a node may take until it serves.
	patience() time.Duration
}

// processes are nodes of this machine on one PostgreSQL.
type processes struct {
	nodes []*node
	url   func() string // of PostgreSQL
	db    *pgx.Conn     // nil while there is none
}

// lockHolder asks PostgreSQL for the identity of the lock's holder.
const lockHolder = "SELECT ha_identity FROM openbao_ha_locks WHERE NOW() <= valid_until"

func (p *processes) holder(ctx context.Context) (holder string, err error) {
	if p.db == nil {
		if p.db, err = pgx.Connect(ctx, p.url()); err != nil {
			return "", err
		}
	}
	err = p.db.QueryRow(ctx, lockHolder).Scan(&holder)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return holder, err
}

// forget closes the connection.
func (p *processes) forget(ctx context.Context) {
	if p.db != nil {
		_ = p.db.Close(context.WithoutCancel(ctx))
		p.db = nil
	}
}

// leading is the node whose way to PostgreSQL has seen the identity, once it says that it leads:
// one that lost the lock may say so for a while.
func (p *processes) leading(ctx context.Context, identity string) *node {
	for _, n := range p.nodes {
		if !n.db.Identified(identity) {
			continue
		}
		if h, err := n.health(ctx); err == nil && h.Active() {
			return n
		}
	}
	return nil
}

func (p *processes) serves(ctx context.Context, leader int) error {
	return serving(ctx, p.nodes, leader)
}

func (p *processes) patience() time.Duration { return 0 }

// watcher follows the row of the lock that the leader holds in PostgreSQL.
type watcher struct {
	system
	record *history.Recorder
	nodes  []*node
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

func newWatcher(record *history.Recorder, on system, nodes []*node) *watcher {
	return &watcher{system: on, record: record, nodes: nodes}
}

// run records each new term once its node says that it leads, until ctx ends. While PostgreSQL
// does not answer it is blind.
func (w *watcher) run(ctx context.Context) {
	defer w.forget(ctx)
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		limited, cancel := context.WithTimeout(ctx, watchTime)
		holder, err := w.holder(limited)
		cancel()
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

// begin records the term of the lock's holder, if that says that it leads.
func (w *watcher) begin(ctx context.Context, holder string) {
	if n := w.leading(ctx, holder); n != nil {
		pod := n.number()
		w.record.Event(history.Event{Kind: history.Lead, Number: w.terms, Pod: pod})
		w.terms++
		w.last.Store(&term{holder, pod})
	}
}

// held is the identity under which the lock was held in the last term, "" before the first.
func (w *watcher) held() string {
	if t := w.last.Load(); t != nil {
		return t.identity
	}
	return ""
}

// leads is the node of the last term, nil before the first or where it is gone.
func (w *watcher) leads() *node {
	leader := w.leader()
	if i := slices.IndexFunc(w.nodes, func(n *node) bool { return n.number() == leader }); i >= 0 {
		return w.nodes[i]
	}
	return nil
}

// leader is the pod of the last term, history.NoPod before the first.
func (w *watcher) leader() int {
	if t := w.last.Load(); t != nil {
		return t.pod
	}
	return history.NoPod
}
