package openbao

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.k6.io/k6/v2/lib/executor"
	"go.k6.io/k6/v2/lib/types"
	"gopkg.in/guregu/null.v3"
)

func ramping(start int64, stages ...executor.Stage) *executor.RampingArrivalRateConfig {
	c := executor.NewRampingArrivalRateConfig("main")
	c.StartRate, c.TimeUnit, c.Stages = null.IntFrom(start), types.NullDurationFrom(time.Second), stages
	return c
}

func to(target int64, d time.Duration) executor.Stage {
	return executor.Stage{Target: null.IntFrom(target), Duration: types.NullDurationFrom(d)}
}

// TestRamp checks the schedule by what it must be by definition: the rate's integral up to the
// moment at which iteration i is due is i + 1. TestRampOfK6 in cmd/k6 compares it with what k6
// does.
func TestRamp(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		config *executor.RampingArrivalRateConfig
		total  uint64
		at     map[uint64]time.Duration
	}{
		"constant": {ramping(10, to(10, 2*time.Second)), 20, map[uint64]time.Duration{
			0:  100 * time.Millisecond,
			19: 2 * time.Second,
		}},
		"jump": {
			ramping(1, to(1, 2*time.Second), to(10, 0), to(10, time.Second)), 12,
			map[uint64]time.Duration{1: 2 * time.Second, 2: 2100 * time.Millisecond, 11: 3 * time.Second},
		},
		"from nothing": {ramping(0, to(20, 10*time.Second)), 100, map[uint64]time.Duration{
			0: time.Second, 3: 2 * time.Second,
			99: 10 * time.Second,
		}},
		"to nothing": {ramping(20, to(0, 10*time.Second)), 100, map[uint64]time.Duration{
			74: 5 * time.Second,
			99: 10 * time.Second,
		}},
		"up and down": {ramping(7, to(50, 3*time.Second), to(3, 5*time.Second), to(3, time.Second)), 221, nil},
		"halves": {
			ramping(1, to(1, 4900*time.Millisecond), to(2, 0), to(2, 5*time.Second)), 14,
			map[uint64]time.Duration{4: 4950 * time.Millisecond},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			offset := offsets(tc.config)
			for i := range tc.total {
				at, ok := offset(i)
				require.True(t, ok, "iteration %d", i)
				require.InDelta(t, float64(i+1), area(tc.config, at), 1e-5, "iteration %d at %v", i, at)
				if want, ok := tc.at[i]; ok {
					require.InDelta(t, want, at, float64(time.Microsecond), "iteration %d", i)
				}
			}
			_, ok := offset(tc.total)
			require.False(t, ok, "k6 starts no more")
		})
	}
}

// area sums the rate up in trapezoids, stage by stage.
func area(c *executor.RampingArrivalRateConfig, until time.Duration) float64 {
	sum, rate, start := 0.0, float64(c.StartRate.Int64), time.Duration(0)
	for _, s := range c.Stages {
		length, target := s.Duration.TimeDuration(), float64(s.Target.Int64)
		if part := min(length, until-start); part > 0 {
			reached := rate + (target-rate)*part.Seconds()/length.Seconds()
			sum += (rate + reached) / 2 * part.Seconds()
		}
		rate, start = target, start+length
	}
	return sum
}
