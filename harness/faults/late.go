package faults

import (
	"context"
	"fmt"
	"time"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// lateReaders is how many requests wait in a frozen leader, each with a policy of its own.
const lateReaders = 8

// lateLimit is how long they wait. It is longer than the leader is frozen after the takeover.
const lateLimit = 30 * time.Second

// latePolicy is the policy of a late reader.
func latePolicy(i int) string { return fmt.Sprintf("late%d", i) }

// newLate makes the late readers; their numbers as clients begin at first.
func newLate(p *pool, first int, seed uint64) []*client {
	list := make([]*client, lateReaders)
	for i := range list {
		list[i] = newClient(p, first+i, seed)
		list[i].http = openbao.Trusting(false, nil)
		list[i].limit = lateLimit
	}
	return list
}

// grantLate grants each late reader access by a node, and has it use it there, so that the node
// knows token and policy.
func (n *nemesis) grantLate(ctx context.Context, by *node) {
	for i, c := range n.late {
		for _, kind := range []history.OpKind{history.Grant, history.Use} {
			c.at = by.pod
			c.do(ctx, c.op(kind, "t0/policy:"+latePolicy(i)))
		}
	}
}

// useLate revokes the access of each by the other node, and then has each send a request to the
// frozen one. It returns once they can have been sent.
func (n *nemesis) useLate(ctx context.Context, frozen *node) {
	for i, c := range n.late {
		c.at = (frozen.pod + 1) % len(n.nodes)
		c.do(ctx, c.op(history.Revoke, "t0/policy:"+latePolicy(i)))
	}
	for i, c := range n.late {
		n.waiting.Go(func() {
			c.at = frozen.pod
			c.do(ctx, c.op(history.Use, "t0/policy:"+latePolicy(i)))
		})
	}
}
