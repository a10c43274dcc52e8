package scenario

import "time"

// Timeouts names every duration that scenarios wait for, so that a slow
// environment can stretch them in one place. A zero field takes its default.
type Timeouts struct {
	Fetch    time.Duration // one fetch; default 10 s: a healthy one takes milliseconds, a node being promoted may hold it
	Try      time.Duration // one fetch of those that are repeated until they work; default 2 s: a connection to a pod that is gone may hang
	Poll     time.Duration // between two looks at something that should change; default 200 ms
	Probe    time.Duration // between two fetches that measure an outage; default 50 ms, 20 a second, the measurement's resolution
	Labels   time.Duration // until pod labels and endpoints follow a state; default 30 s: OpenBao retries labels every 5 s
	Handover time.Duration // for which fetches may fail in one go while the active pod leaves in order; default 8 s: it gives the lock up. Namespaces come on top
	Takeover time.Duration // the same after a crash; default 30 s: the lock's TTL of 15 s, and as much again for a busy machine
	Failover time.Duration // until fetches work again after the active pod went; default 60 s: lock TTL 15 s, unseal, namespaces
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
		&t.Handover: 8 * time.Second,
		&t.Takeover: 30 * time.Second,
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
