package capacity

import (
	"context"

	"gitlab.com/steamer/steamer/harness/lab"
	"gitlab.com/steamer/steamer/harness/result"
)

// local drives OpenBao and PostgreSQL processes.
type local struct {
	lab      *lab.Lab
	fixture  []byte
	interval func(result.Interval)
}

// Local makes a driver of a lab; interval hears of each second of load and may be nil.
func Local(l *lab.Lab, interval func(result.Interval)) (Driver, error) {
	fixture, err := l.Fixture(l.Tenants)
	return &local{l, fixture, interval}, err
}

// Observe is what a reading of a lab says to a search. Of a lab's machine everything else is a
// stranger.
func Observe(l *lab.Lab, r lab.Reading) Observation {
	return Observation{Topology: r.Topology(l), Pool: &r.Pool, Others: r.Others, Strangers: r.Others}
}

// Drive runs k6 against the lab.
func (d *local) Drive(ctx context.Context, job Job) (Observation, error) {
	reading, err := d.lab.Drive(ctx, job.Name, job.Profile, job.Rate, d.fixture, d.interval)
	return Observe(d.lab, reading), err
}
