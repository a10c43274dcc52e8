package openbao

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.k6.io/k6/v2/lib"
	"go.k6.io/k6/v2/lib/executor"
	"go.k6.io/k6/v2/lib/types"
	"gopkg.in/guregu/null.v3"
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
		want       time.Duration
	}{
		"first, on time":    {scenario("main"), 0, 0, 5 * ms, 5 * ms},
		"ninth, on time":    {scenario("main"), 9, 3000 * ms, 3005 * ms, 3005*ms - 9*333_333_333}, // k6 rounds the period down to nanoseconds
		"late":              {scenario("main"), 0, 100 * ms, 105 * ms, 105 * ms},
		"swapped numbers":   {scenario("main"), 3, 999 * ms, 1005 * ms, 6 * ms}, // not less than the actual latency
		"another executor":  {scenario("other"), 0, 0, 5 * ms, -1},
		"unknown scenario":  {scenario("none"), 0, 0, 5 * ms, -1},
		"no scenario state": {nil, 0, 0, 5 * ms, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := &lib.State{
				Options:                 lib.Options{Scenarios: lib.ScenarioConfigs{"main": config, "other": other}},
				GetScenarioGlobalVUIter: func() uint64 { return tc.number },
			}
			var s schedule
			require.Equal(t, tc.want, s.latency(tc.scenario, state, start.Add(tc.begin), start.Add(tc.end)))
			require.Equal(t, time.Duration(-1), s.latency(tc.scenario, state, start, start), "second fetch of the iteration")
			state.Iteration++
			require.Equal(t, tc.want, s.latency(tc.scenario, state, start.Add(tc.begin), start.Add(tc.end)), "next iteration")
		})
	}
}
