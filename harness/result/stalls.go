package result

import (
	"fmt"
	"time"
)

// A database stands still when transactions are open and hardly a statement is executed for some
// time: each of them waits for its client.
const (
	stallSeconds = 3
	// per second, below a hundredth of what a loaded OpenBao executes; its lock and health checks
	// go on
	stallStatements = 10
)

// DatabaseUnseen begins the detail of an event about a time in which nobody saw the database and
// no fetch succeeded: it may have stood still.
const DatabaseUnseen = "nobody saw OpenBao's database"

// Stalls are the times in which OpenBao's sessions sat in open transactions and executed nothing.
// A request of OpenBao may hold a connection of the pool for its transaction and wait for another;
// when transactions hold all of the pool, every request waits until the first client gives up (the
// timeout of GitLab Runner is 60 s), and the lock of the active node, which is renewed through the
// same pool, is lost meanwhile.
func (d *DatabaseUse) Stalls() []Event {
	if d == nil {
		return nil
	}
	var out []Event
	from, held := -1, 0
	end := func(i int) {
		if from >= 0 && d.Samples[i].At.Sub(d.Samples[from].At) >= stallSeconds*time.Second {
			out = append(out, Event{At: d.Samples[from].At, Kind: "database", Detail: fmt.Sprintf(
				"OpenBao's database stood still for %.0f s: %d transactions were open and executed nothing, as when each waits "+
					"for one more connection of the pool",
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

// unseenSeconds is how long a gap between the database's samples is before it can hide a
// standstill: with the second on either side that a sample may be late.
const unseenSeconds = stallSeconds + 2

// leastArrivals is how many fetches must have been due before it says something that none
// succeeded.
const leastArrivals = 10

// UnseenDatabase are the gaps between the samples of a database that was watched in which no fetch
// succeeded for stallSeconds: a database that does not answer its observer either leaves no sample
// of its standstill. Where fetches succeed meanwhile, only the observer was cut off.
func (t *Topology) UnseenDatabase() []Event {
	if t.Database == nil || t.Load == nil {
		return nil
	}
	w := t.Load.Whole()
	succeeded := map[int]bool{} // by the second since the start
	for _, iv := range t.Load.Series {
		if iv.Fetches > iv.Failed {
			succeeded[int(iv.Offset)] = true
		}
	}
	var out []Event
	last := w.From
	for i := 0; i <= len(t.Database.Samples); i++ {
		at := w.To
		if i < len(t.Database.Samples) {
			at = t.Database.Samples[i].At
		}
		if at.After(w.To) {
			at = w.To
		}
		if gap := at.Sub(last).Seconds(); gap > unseenSeconds {
			silent, longest := 0, 0
			for second := int(last.Sub(w.From).Seconds()) + 1; second < int(at.Sub(w.From).Seconds()); second++ {
				silent++
				if succeeded[second] {
					silent = 0
				}
				longest = max(longest, silent)
			}
			if due := float64(longest) * t.Load.OfferedRate; longest >= stallSeconds && due >= leastArrivals {
				out = append(out, Event{
					At: last, Kind: "database",
					Detail: fmt.Sprintf("%s for %.0f s, and for %d s of them no fetch succeeded", DatabaseUnseen, gap, longest),
				})
			}
		}
		if at.After(last) {
			last = at
		}
	}
	return out
}
