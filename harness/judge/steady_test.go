package judge

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
)

// noise is what a shared machine does to a latency: each second's own, and slow waves that come
// and go (an AR(1) process), both in the logarithm.
type noise struct {
	second, wave float64 // standard deviations
	memory       float64 // seconds until a wave has lost most of itself
}

var (
	quiet = noise{second: 0.15}                        // a machine of its own
	busy  = noise{second: 0.3, wave: 0.15, memory: 20} // builds beside it: CV of a second's p50 about 35 %
	wild  = noise{second: 0.4, wave: 0.3, memory: 30}  // far above the 15 % beyond which docs/method.md trusts no run
)

// series has a p50 that follows shape(0 to 1) in ms, with a p95 of twice that.
func (n noise) series(seed uint64, seconds int, shape func(float64) float64) *result.Load {
	rng := rand.New(rand.NewPCG(seed, 5))
	l := &result.Load{WarmupSeconds: 15, MeasuredSeconds: float64(seconds)}
	wave, keep := n.wave*rng.NormFloat64(), 0.0
	if n.memory > 0 {
		keep = math.Exp(-1 / n.memory)
	}
	for i := range seconds + 15 {
		wave = keep*wave + math.Sqrt(1-keep*keep)*n.wave*rng.NormFloat64()
		iv := result.Interval{Offset: float64(i), Phase: "warmup", Fetches: 12}
		at := shape(max(0, float64(i-15)) / float64(seconds))
		iv.P50 = at * math.Exp(wave+n.second*rng.NormFloat64())
		iv.P95 = 2 * at * math.Exp(wave+1.5*n.second*rng.NormFloat64())
		if i >= 15 {
			iv.Phase = "measure"
		}
		l.Series = append(l.Series, iv)
	}
	return l
}

func (n noise) alarms(runs, seconds int, shape func(float64) float64) (share float64) {
	for seed := range uint64(runs) {
		c, _ := DefaultValidity().trend(n.series(seed, seconds, shape))
		if c.Verdict != result.Pass {
			share++
		}
	}
	return share / float64(runs)
}

func flat(float64) float64 { return 8 }

// rising goes from 8 ms to 8 ms times by, in a straight line.
func rising(by float64) func(float64) float64 {
	return func(x float64) float64 { return 8 * (1 + (by-1)*x) }
}

// TestTrendFalseAlarms: what is steady is hardly ever called a trend, as short as smoke or as long
// as steady and soak.
func TestTrendFalseAlarms(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		noise
		seconds int
		most    float64
	}{
		"smoke, quiet": {quiet, 60, 0}, "smoke, busy": {busy, 60, 0.01}, "smoke, wild": {wild, 60, 0.035},
		"steady, quiet": {quiet, 600, 0}, "steady, busy": {busy, 600, 0.005}, "steady, wild": {wild, 600, 0.02},
		"soak, wild": {wild, 7200, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			share := tc.alarms(min(1000, 200_000/tc.seconds), tc.seconds, flat)
			t.Logf("%.3f", share)
			require.LessOrEqual(t, share, tc.most)
		})
	}
}

// TestTrendDetects: known drifts are found as often as docs/measuring.md says.
func TestTrendDetects(t *testing.T) {
	t.Parallel()
	falling := func(x float64) float64 { return 8 * (3 - 2*x) }
	leak := func(x float64) float64 { return 8 * math.Exp(x*math.Log(4)) }
	for name, tc := range map[string]struct {
		noise
		seconds int
		shape   func(float64) float64
		least   float64
	}{
		"doubles within steady":         {busy, 600, rising(2), 0.75},
		"triples within steady":         {busy, 600, rising(3), 0.95},
		"doubles within steady, quiet":  {quiet, 600, rising(2), 1},
		"triples within steady, wild":   {wild, 600, rising(3), 0.5},
		"triples within smoke, quiet":   {quiet, 60, rising(3), 0.95},
		"triples within steady, quiet":  {quiet, 600, rising(3), 1},
		"triples within smoke, busy":    {busy, 60, rising(3), 0.3},
		"falls to a third within smoke": {quiet, 60, falling, 0.95},
		"grows fourfold within soak":    {wild, 7200, leak, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			share := tc.alarms(min(400, 120_000/tc.seconds), tc.seconds, tc.shape)
			t.Logf("%.3f", share)
			require.GreaterOrEqual(t, share, tc.least)
		})
	}
	// A rise by a fifth is none that matters, however clear it is.
	require.Zero(t, quiet.alarms(40, 7200, rising(1.2)))
	// Neither is a millisecond that becomes 2.4: the floor.
	require.Zero(t, quiet.alarms(100, 600, func(x float64) float64 { return 1 + 1.4*x }))
}

func TestTrendReadsOnlyWhatIsThere(t *testing.T) {
	t.Parallel()
	short := quiet.series(1, 59, rising(9))
	c, _ := DefaultValidity().trend(short)
	require.True(t, c.Informational)
	require.Equal(t, result.Pass, c.Verdict)
	require.Contains(t, c.Measured, "59 s are too short")

	gap := quiet.series(1, 60, rising(9))
	gap.Series = gap.Series[:60]
	c, _ = DefaultValidity().trend(gap)
	require.True(t, c.Informational)

	long := quiet.series(1, 60, rising(9))
	c, falls := DefaultValidity().trend(long)
	require.False(t, falls)
	require.Equal(t, result.Inconclusive, c.Verdict)
	require.Contains(t, c.Reason, "the p50 went from")
	s := circumstances{topology: &result.Topology{Load: long}}
	require.Len(t, DefaultValidity().steady(&s), 2)
	long.Stages = []result.LoadStage{{Seconds: 60, From: 12, To: 120}}
	require.Empty(t, DefaultValidity().steady(&s), "a rate that moves moves the latency")
}
