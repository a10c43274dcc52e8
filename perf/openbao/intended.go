package openbao

import (
	"time"

	"go.k6.io/k6/v2/lib"
	"go.k6.io/k6/v2/lib/executor"
)

// schedule knows when the iterations of a constant-arrival-rate scenario were meant to start.
//
// k6 starts iteration i at start + i × period and does not tell the VU that time, but start, period and i can be
// had: the scenario's start time, its configured rate and the iteration's number in the test. So
//
//	intended latency = end of the fetch − (start + i × period)
//
// It is exact under these conditions:
//
//   - no iteration was dropped: a dropped iteration takes no number (grafana/k6#2308), so that after d drops each
//     intended latency comes out d × period too long. It errs on the pessimistic side only, and a run with drops is
//     not valid anyway;
//   - the fetch is the first of its iteration; later ones have no scheduled start and report none.
//
// VUs that start at the same instant may swap numbers. That moves latency between two fetches by the microseconds
// they lie apart, and leaves sum and count as they are, except that an intended latency is never below the actual.
type schedule struct {
	scenario  string
	period    time.Duration
	iteration int64
	used      bool
}

// latency returns the time from the intended start of the VU's iteration to end, or -1 where there is none.
func (s *schedule) latency(scenario *lib.ScenarioState, state *lib.State, start, end time.Time) time.Duration {
	if scenario == nil || state.GetScenarioGlobalVUIter == nil {
		return -1
	}
	if s.scenario != scenario.Name {
		*s = schedule{scenario: scenario.Name, period: period(state.Options.Scenarios[scenario.Name])}
	}
	if s.period <= 0 || s.used && s.iteration == state.Iteration {
		return -1
	}
	s.used, s.iteration = true, state.Iteration
	i := state.GetScenarioGlobalVUIter()
	intended := scenario.StartTime.Add(time.Duration(i) * s.period) //nolint:gosec // i counts up from 0
	if intended.After(start) {
		intended = start
	}
	return end.Sub(intended)
}

// period returns the time between two iterations of a constant-arrival-rate scenario over all its segments, rounded
// down to nanoseconds as k6's executor does, and 0 for any other executor.
func period(cfg lib.ExecutorConfig) time.Duration {
	c, ok := cfg.(*executor.ConstantArrivalRateConfig)
	if !ok || c.Rate.Int64 <= 0 {
		return 0
	}
	return c.TimeUnit.TimeDuration() / time.Duration(c.Rate.Int64)
}
