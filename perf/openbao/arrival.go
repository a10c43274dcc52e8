package openbao

import (
	"time"

	"go.k6.io/k6/v2/lib"
)

// Arrival is the scheduled start of an iteration.
type Arrival interface {
	// Due returns when the iteration was due if drops arrivals of its scenario were dropped in
	// this process before it; false where no schedule applies.
	Due(drops uint64) (time.Time, bool)
}

// arrival is the scheduled start of an iteration of k6.
type arrival struct {
	timetable *timetable
	start     time.Time // of the scenario
	number    uint64    // of the iteration in the test
}

// timetable has the times at which the arrivals of a scenario are due, and which of them belong to
// this process.
type timetable struct {
	offset func(i uint64) (time.Duration, bool) // from the scenario's start, of arrival i of all segments together
	stripe stripe
}

func timetableOf(o lib.Options, scenario string) *timetable {
	offset := offsets(o.Scenarios[scenario])
	if offset == nil {
		return nil
	}
	return &timetable{offset, stripeOf(o)}
}

// Due implements Arrival. A dropped iteration takes no number (grafana/k6#2308), so that iteration
// n of a process is arrival n + drops.
func (a arrival) Due(drops uint64) (time.Time, bool) {
	offset, ok := a.timetable.offset(a.timetable.stripe.skip(a.number, drops))
	return a.start.Add(offset), ok
}

// stripe is how k6 distributes the arrivals over the segments, see
// ExecutionTuple.GetStripedOffsets of k6 v2.1.0. A process has arrival start, then the one that is
// the next of steps further, in a cycle. The zero value is a process that has all arrivals.
type stripe struct {
	start, cycle uint64 // cycle is the sum of the steps
	steps        []uint64
}

// stripeOf returns the stripe of the options' execution segment.
func stripeOf(o lib.Options) stripe {
	tuple, err := lib.NewExecutionTuple(o.ExecutionSegment, o.ExecutionSegmentSequence)
	if err != nil {
		return stripe{} // k6 made the same of the same options before it started
	}
	start, steps, cycle := tuple.GetStripedOffsets()
	s := stripe{start: unsigned(start), cycle: unsigned(cycle)}
	for _, step := range steps {
		s.steps = append(s.steps, unsigned(step))
	}
	return s
}

func unsigned(n int64) uint64 { return uint64(max(0, n)) }

// skip returns the arrival of the process that comes n of its arrivals after arrival i.
func (s stripe) skip(i, n uint64) uint64 {
	if len(s.steps) < 2 { // of equal segments every process has every k-th arrival
		return i + max(1, s.cycle)*n
	}
	period := uint64(len(s.steps))
	at := 0
	for past := uint64(0); past < (i-s.start)%s.cycle; at++ {
		past += s.steps[at]
	}
	i += n / period * s.cycle
	for range n % period {
		i += s.steps[at%len(s.steps)]
		at++
	}
	return i
}
