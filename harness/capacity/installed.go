package capacity

import (
	"context"

	"gitlab.com/steamer/steamer/harness/run"
)

// installed drives a topology on a cluster.
type installed struct{ driver *run.Driver }

// Installed makes a driver of an installed topology.
func Installed(d *run.Driver) Driver { return installed{d} }

func (i installed) Drive(ctx context.Context, job Job) (Observation, error) {
	t, err := i.driver.Drive(ctx, job.Profile, job.Rate)
	seen := Observation{Topology: t}
	if t.Load == nil {
		return seen, err
	}
	w := t.Load.Measured()
	if strangers, ok := t.Others(w); ok && len(t.Nodes) > 0 { // else Kubernetes is among them, which grows with the rate
		seen.Strangers = &strangers
	}
	if t.Host != nil {
		if all, ok := t.Host.CPUCores(w); ok {
			rest := max(0, all-component(&t, "openbao").Cores-component(&t, "postgresql").Cores-t.Load.Generator.Cores(w))
			seen.Others = &rest
		}
	}
	return seen, err
}
