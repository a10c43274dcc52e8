package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// errBroken ends a run whose server does not start any more: the history says so, and is judged.
var errBroken = errors.New("no node starts any more")

// errEnded ends what waits for nodes of which one ended by itself.
var errEnded = errors.New("a node ended by itself")

// reviveTries is how often all nodes are started again before the server counts as broken, and
// reviveTime how long each may take.
const (
	reviveTries = 3
	reviveTime  = time.Minute
)

// sealedTime is how long a node may be sealed that no fault sealed: it unseals itself, and tries
// again every 5 s.
const sealedTime = 20 * time.Second

// whileUp is a context that ends as soon as a process ends that no fault ended, or stays sealed.
func (n *nemesis) whileUp(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if n.pods != nil { // Kubernetes starts what ends, and the pods are recorded by what it says
		return ctx, func() { cancel(nil) }
	}
	for _, node := range n.nodes {
		ended := node.Ended()
		go func() {
			select {
			case <-ended:
				if !node.out.Load() {
					cancel(errEnded)
				}
			case <-ctx.Done():
			}
		}()
		go func() {
			if node.staysSealed(ctx) {
				cancel(errEnded)
			}
		}()
	}
	return ctx, func() { cancel(nil) }
}

// staysSealed waits until ctx ends, or until the node has been sealed for sealedTime. Then it will
// not unseal itself any more: OpenBao shuts its core down for some errors, and the process goes
// on.
func (n *node) staysSealed(ctx context.Context) bool {
	since := time.Now()
	for wait.Pause(ctx, time.Second) == nil {
		if h, err := n.health(ctx); err != nil || !h.Sealed || n.out.Load() {
			since = time.Now()
		}
		if time.Since(since) > sealedTime {
			n.sealed.Store(true)
			return true
		}
	}
	return false
}

// endSealed ends the nodes that stay sealed, so that they can be started again.
func (n *nemesis) endSealed() {
	for _, node := range n.nodes {
		if node.sealed.Swap(false) && !node.Gone() {
			n.record.Event(history.Event{Kind: history.Log, Pod: node.pod, Text: "it stays sealed, and no fault sealed it"})
			node.Kill()
		}
	}
}

// settled waits until both nodes serve. One that ended by itself is recorded and started again.
func (n *nemesis) settled(ctx context.Context) error {
	up, stop := n.whileUp(ctx)
	err := n.recovered(up)
	stop()
	return n.rescue(ctx, err)
}

// rescue starts again what ended by itself, where an error comes from that. On a cluster
// Kubernetes has tried.
func (n *nemesis) rescue(ctx context.Context, err error) error {
	if n.pods != nil {
		if err == nil || ctx.Err() != nil || !n.stuck() {
			return err
		}
		return n.broken(err)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	n.endSealed()
	if !slices.ContainsFunc(n.nodes, (*node).fell) {
		return err
	}
	for range reviveTries {
		n.endSealed()
		n.startFallen(ctx)
		up, stop := n.whileUp(ctx)
		limited, cancel := context.WithTimeout(up, reviveTime)
		err = n.recovered(limited)
		cancel()
		stop()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
	n.bury()
	for _, line := range n.halves(ctx) {
		n.record.Event(history.Event{Kind: history.Log, Pod: history.NoPod, Text: line})
	}
	return n.broken(err)
}

// broken records that no node starts any more.
func (n *nemesis) broken(err error) error {
	for _, node := range n.nodes {
		n.pod(node, history.Broken)
	}
	return fmt.Errorf("%w: %w", errBroken, err)
}

// startFallen starts each node that is down. Whether it came up shows when it serves.
func (n *nemesis) startFallen(ctx context.Context) {
	n.bury()
	ctx, cancel := context.WithTimeout(ctx, reviveTime)
	defer cancel()
	for _, node := range n.nodes {
		if !node.Gone() {
			continue
		}
		n.pod(node, history.Started)
		err := node.Start(ctx)
		node.out.Store(false)
		if err == nil {
			n.pod(node, history.Up)
		}
	}
}

// bury records each node that ended by itself, with the end of its log, once.
func (n *nemesis) bury() {
	for _, node := range n.nodes {
		if !node.fell() || node.buried == node.PID() {
			continue
		}
		node.buried = node.PID()
		for _, line := range localbao.LastWords(node.Log()) {
			n.record.Event(history.Event{Kind: history.Log, Pod: node.pod, Text: line})
		}
		n.pod(node, history.Crashed)
	}
}

// fell reports whether the node's process is gone although no fault ended it, or with a panic.
func (n *node) fell() bool {
	return n.Gone() && (!n.out.Load() || localbao.Panicked(n.Log()))
}

// halves says what is stored of each namespace below a tenant, which shows where its creation or
// deletion ended. Storage is encrypted but for its paths.
func (n *nemesis) halves(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	lines, err := halfNamespaces(ctx, n.server.DatabaseURL())
	if err != nil {
		return []string{"what is stored of namespaces is not known: " + secret.Redact(err.Error())}
	}
	return lines
}
