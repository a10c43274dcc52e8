package faults

import (
	"context"
	"fmt"
	"time"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// lateClients is how many requests wait in a frozen leader, each with a policy of its own.
const lateClients = 16

// lateLimit is how long they wait. It is longer than the leader is frozen after the takeover.
const lateLimit = 30 * time.Second

// latePolicy is the policy of a late client.
func latePolicy(i int) string { return fmt.Sprintf("late%d", i) }

// newLate makes the late clients; their numbers as clients begin at first.
func newLate(p *pool, first int, seed uint64) []*client {
	list := make([]*client, lateClients)
	for i := range list {
		list[i] = newClient(p, first+i, seed)
		list[i].http = openbao.Trusting(false, p.ca)
		list[i].limit = lateLimit
	}
	return list
}

// grantLate grants each late client access by a node, and has it use it there and read a secret,
// so that the node has token, policy and secret in memory.
func (n *nemesis) grantLate(ctx context.Context, by *node) {
	for i, c := range n.late {
		for _, o := range []*history.Op{
			c.op(history.Grant, lateSubject(i)), c.op(history.Use, lateSubject(i)), c.op(history.Read, c.lateKey(i)),
		} {
			c.at = by.pod
			c.do(ctx, o)
		}
	}
}

func lateSubject(i int) string { return "t0/policy:" + latePolicy(i) }

func (c *client) lateKey(i int) string { return fmt.Sprintf("t0/k%d", i%c.secrets) }

// useLate revokes the access of each by the other node and writes its secret there. Then each
// sends a request to the frozen node: a use, a read or a write. It returns once they can have been
// sent.
func (n *nemesis) useLate(ctx context.Context, frozen *node) {
	for i, c := range n.late {
		for _, o := range []*history.Op{c.op(history.Revoke, lateSubject(i)), c.lateWrite(i)} {
			c.at = (frozen.pod + 1) % len(n.nodes)
			c.do(ctx, o)
		}
	}
	for i, c := range n.late {
		o := c.op(history.Use, lateSubject(i))
		switch i % 4 {
		case 2:
			o = c.op(history.Read, c.lateKey(i))
		case 3:
			o = c.lateWrite(i)
		}
		n.waiting.Go(func() {
			c.at = frozen.pod
			c.do(ctx, o)
		})
	}
}

func (c *client) lateWrite(i int) *history.Op {
	o := c.op(history.Write, c.lateKey(i))
	c.counter++
	o.Value = history.Value{Writer: c.id, Counter: c.counter}
	return o
}
