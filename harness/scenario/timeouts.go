package scenario

import "time"

// Timeouts has every duration that scenarios wait for, so that a slow
// environment can extend them in one place. A zero field takes its default.
type Timeouts struct {
	// Fetch is one fetch; default 10 s. A healthy one takes milliseconds, a node that is being
	// promoted may hold it.
	Fetch time.Duration
	// Try is one fetch of those that are repeated until they work; default 2 s. A connection to a
	// deleted pod may hang.
	Try time.Duration
	// Poll is between two checks of something that should change; default 200 ms.
	Poll time.Duration
	// Probe is between two fetches that measure an outage; default 50 ms, which is the resolution
	// of the measurement.
	Probe time.Duration
	// Labels is until pod labels and endpoints follow a state; default 30 s. OpenBao retries
	// labels every 5 s.
	Labels time.Duration
	// Failover is until fetches work again after the active pod is lost; default 60 s: the lock's
	// TTL of 15 s, unsealing, namespaces.
	Failover time.Duration
	Ready    time.Duration // until all pods are ready again; default 3 min
	Upgrade  time.Duration // until an upgrade has replaced all pods and they are ready; default 4 min
	Capture  time.Duration // for the diagnostics of a failed scenario; default 30 s
	Grace    time.Duration // how long a scenario may take to return after its budget ended; default 5 s
}

// withDefaults fills zero fields.
func (t Timeouts) withDefaults() Timeouts {
	for field, value := range map[*time.Duration]time.Duration{
		&t.Fetch:    10 * time.Second,
		&t.Try:      2 * time.Second,
		&t.Poll:     200 * time.Millisecond,
		&t.Probe:    50 * time.Millisecond,
		&t.Labels:   30 * time.Second,
		&t.Failover: time.Minute,
		&t.Ready:    3 * time.Minute,
		&t.Upgrade:  4 * time.Minute,
		&t.Capture:  30 * time.Second,
		&t.Grace:    5 * time.Second,
	} {
		if *field == 0 {
			*field = value
		}
	}
	return t
}
