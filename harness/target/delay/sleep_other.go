//go:build !linux

package delay

import "time"

// sleep waits as finely as the system's timers are; not at all where d is not above 0.
func sleep(d time.Duration) { time.Sleep(d) }
