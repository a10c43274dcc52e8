package capacity

import (
	"context"

	"gitlab.com/steamer/steamer/harness/run"
)

// installed drives a topology on a cluster.
type installed struct{ driver *run.Driver }

// Installed makes a driver of an installed topology.
func Installed(d *run.Driver) Driver { return installed{d} }

// usualOthers is about how many cores Kubernetes, the container engine and the kernel's network take beside so many fetches per second: 0.5 were
// measured at 150 with a connection for each, most of it work for connections.
func usualOthers(rate float64) float64 { return 0.2 + 0.002*rate }

func (i installed) Drive(ctx context.Context, job Job) (Observation, error) {
	t, err := i.driver.Drive(ctx, job.Profile, job.Rate)
	seen := Observation{Topology: t, Usual: usualOthers(job.Rate)}
	if t.Load != nil {
		seen.Others, _ = t.Others(t.Load.Measured())
	}
	return seen, err
}
