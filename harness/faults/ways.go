package faults

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"gitlab.com/steamer/steamer/harness/faults/pgproxy"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// delayed is how long a way holds what is sent.
const delayed = 200 * time.Millisecond

// proxies are ways of or to the nodes, in the order of the nodes.
type proxies struct {
	plain bool // not to PostgreSQL
	list  []*pgproxy.Proxy
}

// next makes the way of one more node, to an address.
func (p *proxies) next(address string) (string, error) {
	start := pgproxy.Start
	if p.plain {
		start = pgproxy.StartPlain
	}
	proxy, err := start(address)
	if err != nil {
		return "", err
	}
	p.list = append(p.list, proxy)
	return proxy.Address(), nil
}

func (p *proxies) stop() {
	for _, proxy := range p.list {
		proxy.Stop()
	}
}

// wayOf chooses one of a node's ways.
type wayOf func(*node) *pgproxy.Proxy

func toDatabase(n *node) *pgproxy.Proxy  { return n.db }
func fromClients(n *node) *pgproxy.Proxy { return n.clients }
func fromPeers(n *node) *pgproxy.Proxy   { return n.peers }

// do is how a fault is done: it ends it, too, and returns its receipt.
type do func(*nemesis, context.Context, *node, Step) (string, error)

func cutWay(of wayOf) do {
	return func(_ *nemesis, _ context.Context, victim *node, _ Step) (string, error) {
		return confirmed(of(victim).Cut()), nil
	}
}

// refuseWay cuts all connections, and new ones for a while. Either is an effect: the standby may
// have no connection to the active node yet, or not ask for another one so soon.
func refuseWay(of wayOf) do {
	return func(_ *nemesis, ctx context.Context, victim *node, s Step) (string, error) {
		p := of(victim)
		before := p.Counts().Refused
		p.Refuse(true)
		defer p.Refuse(false)
		cut := p.Cut()
		err := wait.Pause(ctx, time.Duration(s.Length))
		return confirmed(cut + p.Counts().Refused - before), err
	}
}

func delayWay(of wayOf) do {
	return func(_ *nemesis, ctx context.Context, victim *node, s Step) (string, error) {
		p := of(victim)
		before := p.Counts().Delayed
		p.Delay(delayed)
		defer p.Delay(0)
		err := wait.Pause(ctx, time.Duration(s.Length))
		return confirmed(p.Counts().Delayed - before), err
	}
}

// loseWay has connections half open for a while.
func loseWay(of wayOf) do {
	return func(_ *nemesis, ctx context.Context, victim *node, s Step) (string, error) {
		p := of(victim)
		before := p.Counts().Lost
		p.Lose(true)
		defer p.Lose(false)
		err := wait.Pause(ctx, time.Duration(s.Length))
		return confirmed(int(p.Counts().Lost - before)), err
	}
}

// betweenNodes does a fault, and waits until the other nodes forward requests again: they try
// to connect less and less often.
func betweenNodes(fault do) do {
	return func(n *nemesis, ctx context.Context, victim *node, s Step) (string, error) {
		receipt, err := fault(n, ctx, victim, s)
		for _, other := range n.nodes {
			if err != nil || other == victim {
				continue
			}
			client := openbao.New(other.Address, openbao.Trusting(false, nil))
			_, err = wait.Until(ctx, wait.For{What: "the standby forwards requests again", Deadline: recoverTime},
				func(ctx context.Context) error {
					if status := n.lookUp(ctx, client); status != http.StatusOK {
						return fmt.Errorf("it answers %d", status)
					}
					return nil
				})
			client.Close()
		}
		return receipt, err
	}
}
