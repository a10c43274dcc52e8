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

// Drive runs k6 against the lab.
func (d *local) Drive(ctx context.Context, job Job) (Observation, error) {
	reading, err := d.lab.Drive(ctx, job.Name, job.Profile, job.Rate, d.fixture, d.interval)
	return Observation{Topology: reading.Topology(d.lab), Pool: &reading.Pool, Others: reading.Others}, err
}
