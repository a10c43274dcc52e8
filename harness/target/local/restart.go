package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gitlab.com/steamer/steamer/harness/target/local/localbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// disturbTimeout bounds how long a node may take to come or come back. It is far above what is
// published for 10,000 namespaces.
const disturbTimeout = 5 * time.Minute

// probeEvery is how often a fetch is tried while the nodes change; it is the resolution of the
// times.
const probeEvery = 20 * time.Millisecond

// Restart ends all nodes in order and starts them again.
func (t *Target) Restart(ctx context.Context) (float64, error) {
	nodes := t.server.Nodes()
	for i := len(nodes) - 1; i >= 0; i-- {
		nodes[i].Stop()
	}
	began := time.Now()
	if err := nodes[0].Start(ctx); err != nil {
		return 0, err
	}
	if err := t.serves(ctx, nodes[0]); err != nil {
		return 0, err
	}
	took := time.Since(began).Seconds()
	for _, other := range nodes[1:] {
		if err := other.Start(ctx); err != nil {
			return took, err
		}
	}
	return took, nil
}

// Failover ends the active node and waits for the other one. Then the ended one comes back as the
// standby, and the roles are given back in order, so that each disturbance begins the same way.
func (t *Target) Failover(ctx context.Context, kill bool) (float64, error) {
	nodes := t.server.Nodes()
	if len(nodes) < 2 {
		return 0, errors.New("the target has no second node: see Spec.Standby")
	}
	took, err := t.takeOver(ctx, nodes[0], nodes[1], kill)
	if err != nil {
		return 0, err
	}
	_, err = t.takeOver(ctx, nodes[1], nodes[0], false)
	return took, err
}

// takeOver ends one node, waits until the other leads and serves, and starts the ended one again.
func (t *Target) takeOver(ctx context.Context, active, standby *localbao.Node, kill bool) (float64, error) {
	began := time.Now()
	if kill {
		active.Kill()
	} else {
		go active.Stop() // it answers for a moment while it ends; the outage begins with the signal
	}
	if err := t.serves(ctx, standby); err != nil {
		return 0, err
	}
	took := time.Since(began).Seconds()
	active.Stop()
	return took, active.Start(ctx)
}

// serves waits until a node is active and a fetch on it gets the right value.
func (t *Target) serves(ctx context.Context, node *localbao.Node) error {
	client := t.spec.Server.Kind.Client(node.Address, t.server.HTTPClient())
	defer client.Close()
	_, err := wait.Until(ctx, wait.For{
		What: "a node serves", Interval: probeEvery, Deadline: disturbTimeout, Each: 5 * time.Second,
	}, func(ctx context.Context) error {
		h, err := client.Health(ctx)
		if err == nil && !h.Active() {
			err = fmt.Errorf("health answers %d", h.Status)
		}
		if err != nil {
			return err
		}
		return t.tenancy.Check(ctx, client)
	})
	return err
}
