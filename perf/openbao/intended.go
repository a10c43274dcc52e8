package openbao

import (
	"math"
	"time"

	"go.k6.io/k6/v2/lib"
	"go.k6.io/k6/v2/lib/executor"
)

// schedule knows when the iterations of an arrival-rate scenario were meant to start.
//
// k6 starts iteration i at a time that follows from the scenario's configuration. The VU does not
// get that time, but it knows the scenario's start and the iteration's number in the test. So
//
//	intended latency = end of the fetch − (start + offset(i))
//
// At a constant rate offset(i) is i × period. Where the rate changes it is the moment at which the
// integral of the rate reaches i + 1. k6 starts the first iteration at once in the first case, and
// when one is due in the second (lib/executor/constant_arrival_rate.go and ramping_arrival_rate.go
// of k6 v2.1.0).
//
// Dropped arrivals take no number, so i must be raised by the number of drops before: Arrival.Due.
// The output hdr knows that number. Other outputs get the latency without it, which is then too
// pessimistic.
//
// The fetch must be the first of its iteration; later ones have no scheduled start.
//
// Other executors have no schedule. VUs that start at the same instant may swap numbers. That
// moves some microseconds of latency from one fetch to the other. Sum and count stay the same,
// except that an intended latency is never below the actual.
type schedule struct {
	scenario  string
	timetable *timetable // nil: no schedule
	iteration int64
	used      bool
}

// arrival returns the scheduled start of the VU's iteration, once.
func (s *schedule) arrival(scenario *lib.ScenarioState, state *lib.State) Arrival {
	if scenario == nil || state.GetScenarioGlobalVUIter == nil {
		return nil
	}
	if s.scenario != scenario.Name {
		*s = schedule{scenario: scenario.Name, timetable: timetableOf(state.Options, scenario.Name)}
	}
	if s.timetable == nil || s.used && s.iteration == state.Iteration {
		return nil
	}
	s.used, s.iteration = true, state.Iteration
	return arrival{s.timetable, scenario.StartTime, state.GetScenarioGlobalVUIter()}
}

// offsets returns when, from the scenario's start, iteration i of all segments together is due;
// nil for executors without a schedule.
func offsets(cfg lib.ExecutorConfig) func(i uint64) (time.Duration, bool) {
	switch c := cfg.(type) {
	case *executor.ConstantArrivalRateConfig:
		if c.Rate.Int64 <= 0 {
			return nil
		}
		// Rounded down to nanoseconds, as k6's executor does.
		period := c.TimeUnit.TimeDuration() / time.Duration(c.Rate.Int64)
		return func(i uint64) (time.Duration, bool) {
			return time.Duration(i) * period,
				true
		} // #nosec G115 -- i counts up from 0
	case *executor.RampingArrivalRateConfig:
		return ramp(stagesOf(c)).offset
	}
	return nil
}

// stage is a span in which the rate moves in a straight line.
type stage struct {
	start, length time.Duration
	from, to      float64 // iterations per nanosecond
	before, until float64 // iterations due up to the start, and up to the end
}

type ramp []stage

func stagesOf(c *executor.RampingArrivalRateConfig) []stage {
	unit := float64(c.TimeUnit.TimeDuration())
	at := stage{to: float64(c.StartRate.Int64) / unit}
	stages := make([]stage, 0, len(c.Stages))
	for _, s := range c.Stages {
		at = stage{
			start: at.start + at.length, length: s.Duration.TimeDuration(),
			from: at.to, to: float64(s.Target.Int64) / unit, before: at.until,
		}
		at.until = at.before + float64(at.length)*(at.from+at.to)/2
		stages = append(stages, at)
	}
	return stages
}

// offset solves "the integral of the rate is i + 1" for the time. With n arrivals left in a stage
// of length d whose rate moves from a to b, the time x is the root of (b−a)/2d·x² + a·x = n. The
// form 2n / (a + √(a² + 2n(b−a)/d)) avoids cancellation.
func (r ramp) offset(i uint64) (time.Duration, bool) {
	due := float64(i + 1)
	for _, s := range r {
		if due > s.until || s.length == 0 {
			continue
		}
		n := due - s.before
		root := math.Sqrt(max(0, s.from*s.from+2*n*(s.to-s.from)/float64(s.length)))
		return s.start + time.Duration(2*n/(s.from+root)), true
	}
	return 0, false // beyond the end, where k6 starts nothing
}
