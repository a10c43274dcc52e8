package result

import (
	"fmt"
	"time"
)

// A database stands still when transactions are open and hardly a statement is executed for some time: each of them waits for its client.
const (
	stallSeconds    = 3
	stallStatements = 10 // per second, below a hundredth of what a loaded OpenBao executes; its lock and health checks go on
)

// Stalls are the times in which OpenBao's sessions sat in open transactions and executed nothing. A request of OpenBao may hold a connection
// of the pool for its transaction and wait for another; when transactions hold all of the pool, every request waits until the first client gives up
// (the timeout of GitLab Runner is 60 s), and the lock of the active node, which is renewed through the same pool, is lost meanwhile.
func (d *DatabaseUse) Stalls() []Event {
	if d == nil {
		return nil
	}
	var out []Event
	from, held := -1, 0
	end := func(i int) {
		if from >= 0 && d.Samples[i].At.Sub(d.Samples[from].At) >= stallSeconds*time.Second {
			out = append(out, Event{At: d.Samples[from].At, Kind: "database", Detail: fmt.Sprintf(
				"OpenBao's database stood still for %.0f s: %d transactions were open and executed nothing, as when each waits for one more connection of the pool",
				d.Samples[i].At.Sub(d.Samples[from].At).Seconds(), held)})
		}
		from, held = -1, 0
	}
	for i, s := range d.Samples {
		if s.InTx < 1 || s.Running > 0 || s.Statements >= stallStatements {
			end(i)
			continue
		}
		if from < 0 {
			from = i
		}
		held = max(held, s.InTx)
	}
	if n := len(d.Samples); n > 0 {
		end(n - 1)
	}
	return out
}
