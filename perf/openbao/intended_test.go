package openbao

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.k6.io/k6/v2/lib"
	"go.k6.io/k6/v2/lib/executor"
	"go.k6.io/k6/v2/lib/types"
	"gopkg.in/guregu/null.v3"

	"gitlab.com/steamer/steamer/perf/fetch"
)

func TestSchedule(t *testing.T) {
	t.Parallel()
	config := executor.NewConstantArrivalRateConfig("main")
	config.Rate, config.TimeUnit = null.IntFrom(3), types.NullDurationFrom(time.Second)
	other := executor.NewSharedIterationsConfig("other")
	start := time.Unix(1_800_000_000, 0)
	scenario := func(name string) *lib.ScenarioState { return &lib.ScenarioState{Name: name, StartTime: start} }
	const ms = time.Millisecond
	for name, tc := range map[string]struct {
		scenario   *lib.ScenarioState
		number     uint64
		begin, end time.Duration // of the fetch, from the scenario's start
		drops      uint64        // before it
		want       time.Duration
	}{
		"first, on time": {scenario("main"), 0, 0, 5 * ms, 0, 5 * ms},
		"ninth, on time": {scenario("main"), 9, 3000 * ms, 3005 * ms, 0, 3005*ms - 9*333_333_333},
		// k6 rounds the period down to nanoseconds
		"late":              {scenario("main"), 0, 100 * ms, 105 * ms, 0, 105 * ms},
		"swapped numbers":   {scenario("main"), 3, 999 * ms, 1005 * ms, 0, 6 * ms}, // not less than the actual latency
		"after drops":       {scenario("main"), 6, 3000 * ms, 3005 * ms, 3, 3005*ms - 9*333_333_333},
		"another executor":  {scenario("other"), 0, 0, 5 * ms, 0, -1},
		"unknown scenario":  {scenario("none"), 0, 0, 5 * ms, 0, -1},
		"no scenario state": {nil, 0, 0, 5 * ms, 0, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := &lib.State{
				Options:                 lib.Options{Scenarios: lib.ScenarioConfigs{"main": config, "other": other}},
				GetScenarioGlobalVUIter: func() uint64 { return tc.number },
			}
			var s schedule
			latency := func() time.Duration {
				o := Observation{
					Result:  fetch.Result{Start: start.Add(tc.begin), Duration: tc.end - tc.begin},
					Arrival: s.arrival(tc.scenario, state),
				}
				if d, ok := o.Intended(tc.drops); ok {
					return d
				}
				return -1
			}
			require.Equal(t, tc.want, latency())
			require.Equal(t, time.Duration(-1), latency(), "second fetch of the iteration")
			state.Iteration++
			require.Equal(t, tc.want, latency(), "next iteration")
		})
	}
}

// TestStripe deals the first arrivals to the segments as k6 does, and steps from each to the ones
// after it.
func TestStripe(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		segment, sequence string
		own               []uint64
	}{
		"alone":             {"", "", []uint64{0, 1, 2, 3, 4, 5, 6}},
		"one of three":      {"1/3:2/3", "0,1/3,2/3,1", []uint64{1, 4, 7, 10, 13, 16}},
		"the larger of two": {"1/4:1", "0,1/4,1", nil},
		"a third in a row":  {"2/7:5/7", "0,2/7,5/7,1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var o lib.Options
			if tc.segment != "" {
				var sequence lib.ExecutionSegmentSequence
				segment, err := lib.NewExecutionSegmentFromString(tc.segment)
				require.NoError(t, err)
				sequence, err = lib.NewExecutionSegmentSequenceFromString(tc.sequence)
				require.NoError(t, err)
				o.ExecutionSegment, o.ExecutionSegmentSequence = segment, &sequence
			}
			own := tc.own
			if own == nil { // k6's own index says which
				tuple, err := lib.NewExecutionTuple(o.ExecutionSegment, o.ExecutionSegmentSequence)
				require.NoError(t, err)
				for index := lib.NewSegmentedIndex(tuple); len(own) < 40; {
					_, global := index.Next()
					own = append(own, unsigned(global-1))
				}
			}
			s := stripeOf(o)
			for from := range own {
				for n := range own[from:] {
					require.Equal(t, own[from+n], s.skip(own[from], unsigned(int64(n))), "%d after %d", n, own[from])
				}
			}
		})
	}
}
