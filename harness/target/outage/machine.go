package outage

import "time"

// heartbeat shows whether the machine itself stood still: something that wakes up all the time did
// not.
type heartbeat struct {
	end, done chan struct{}
	longest   time.Duration
}

const beatEvery = 100 * time.Millisecond

func beat() *heartbeat {
	h := &heartbeat{end: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(h.done)
		ticker := time.NewTicker(beatEvery)
		defer ticker.Stop()
		last := time.Now()
		for {
			select {
			case <-ticker.C:
				now := time.Now()
				h.longest = max(h.longest, now.Sub(last))
				last = now
			case <-h.end:
				return
			}
		}
	}()
	return h
}

// stop ends it and returns the longest time between two beats.
func (h *heartbeat) stop() time.Duration {
	close(h.end)
	<-h.done
	return h.longest
}
