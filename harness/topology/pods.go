package topology

import (
	"context"

	"gitlab.com/steamer/steamer/harness/cluster"
)

// ForwardPod leads a free loopback port to the API of one pod, whatever its role is, until it is
// closed or ctx ends.
func (e *Environment) ForwardPod(ctx context.Context, pod string) (*cluster.Forward, error) {
	return e.Cluster.ForwardPod(ctx, e.Namespace, pod, e.Spec.Dialect.apiPort(), e.healthProbe())
}

// DatabasePort is the port at which PostgreSQL is reached.
func (e *Environment) DatabasePort() int { return e.inputs().Database.Port }
