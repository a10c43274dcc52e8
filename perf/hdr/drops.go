package hdr

import (
	"sort"
	"time"
)

// keptDrops is how many moments with drops are remembered for each scenario; at one a millisecond
// the last minute and more. Fetches that began before that find the count of the earliest moment
// kept.
const keptDrops = 1 << 17

// drops counts a scenario's dropped arrivals over time, to know how many there were before a fetch
// began. k6 passes on a drop before the next arrival, so when a fetch ends all drops before it are
// known.
//
// In a burst of late arrivals an iteration may begin microseconds after drops that came after it.
// It then counts them, and its latency from the intended start comes out too short: with drops
// that latency is a lower bound.
type drops struct {
	moments []moment
	before  uint64 // the count before the earliest moment kept
}

// moment is a millisecond in which arrivals were dropped, and how many had been by then.
type moment struct {
	at    int64 // Unix time in milliseconds
	count uint64
}

// add counts n drops at t.
func (d *drops) add(t time.Time, n int64) {
	count, at := d.before, t.UnixMilli()
	last := len(d.moments) - 1
	if last >= 0 {
		count = d.moments[last].count
		at = max(at, d.moments[last].at) // k6 has one goroutine for the arrivals of a scenario: only the clock can go back
	}
	count += uint64(max(0, n))
	if last >= 0 && d.moments[last].at == at {
		d.moments[last].count = count
		return
	}
	if len(d.moments) == keptDrops {
		d.before = d.moments[keptDrops/2-1].count
		d.moments = append(d.moments[:0], d.moments[keptDrops/2:]...)
	}
	d.moments = append(d.moments, moment{at, count})
}

// until returns how many there were up to t. It may be called on nil, a scenario without drops.
func (d *drops) until(t time.Time) uint64 {
	if d == nil {
		return 0
	}
	at := t.UnixMilli()
	i := sort.Search(len(d.moments), func(i int) bool { return d.moments[i].at > at })
	if i == 0 {
		return d.before
	}
	return d.moments[i-1].count
}
