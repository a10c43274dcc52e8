package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// spells is a process with two states: for a share of the time all fetches are hits, in spells of
// a mean length in seconds, exponentially distributed; with length 0 every fetch is one on its
// own. It begins in its steady state.
type spells struct{ share, length float64 }

func (p spells) tallies(rng *rand.Rand, seconds, rate int) []Tally {
	out := make([]Tally, seconds)
	on, next := rng.Float64() < p.share, 0.0
	for i := range out {
		out[i].Of = float64(rate)
		for k := range rate {
			if p.length == 0 {
				on = rng.Float64() < p.share
			}
			for at := float64(i) + float64(k)/float64(rate); p.length > 0 && at >= next; {
				mean := p.length
				if next > 0 {
					on = !on
				}
				if !on {
					mean *= (1 - p.share) / p.share
				}
				next += rng.ExpFloat64() * mean
			}
			if on {
				out[i].Hits++
			}
		}
	}
	return out
}

// TestShareErrors holds the promises of docs/method.md, "Objectives of a share", by simulation:
// how often a limit that is just held is called missed, and how often one that is just missed, or
// by half as much again, is called held; with independent fetches and with bursts.
func TestShareErrors(t *testing.T) {
	t.Parallel()
	const tries = 400
	level := Levels{Lower: 0.01, Upper: 0.05}
	for _, tc := range []struct {
		seconds int
		limit   float64
		spell   float64
		// What is promised, before the error of the simulation.
		missed, held, heldHalfAbove float64
	}{
		{60, 0.05, 0, 0.01, 0, 0},
		{60, 0.05, 1, 0.01, 0, 0},
		{60, 0.05, 5, 0.03, 0, 0},
		{60, 0.05, 20, 0.07, 0, 0},
		{120, 0.05, 0, 0.01, 0.05, 0.01},
		{120, 0.05, 1, 0.01, 0.05, 0.01},
		{120, 0.05, 5, 0.02, 0.35, 0.2},
		{120, 0.05, 20, 0.05, 0.75, 0.65},
		{600, 0.05, 0, 0.01, 0.05, 0.01},
		{600, 0.05, 1, 0.01, 0.07, 0.01},
		{600, 0.05, 5, 0.01, 0.15, 0.03},
		{600, 0.05, 20, 0.02, 0.4, 0.2},
		{600, 0.01, 0, 0.01, 0.05, 0.01},
		{600, 0.01, 1, 0.01, 0.05, 0.01},
		{600, 0.01, 5, 0.01, 0.35, 0.22},
		{600, 0.01, 20, 0.02, 0.77, 0.66},
	} {
		for _, rate := range []int{3, 12, 150} {
			n := tries
			if rate == 150 {
				n = tries / 8
			}
			rng := rand.New(rand.NewPCG(uint64(tc.seconds), uint64(rate)+uint64(1000*tc.limit)+uint64(tc.spell)<<16))
			missed, held, above := 0, 0, 0
			for range n {
				s := ShareOf(spells{tc.limit, tc.spell}.tallies(rng, tc.seconds, rate), 2*float64(rate), level)
				require.True(t, s.Lower <= s.Share && s.Share <= s.Upper && s.Effective <= s.Of, "%+v", s)
				if s.Lower > tc.limit {
					missed++
				}
				if s.Upper <= tc.limit {
					held++
				}
				if ShareOf(spells{1.5 * tc.limit, tc.spell}.tallies(rng, tc.seconds, rate), 2*float64(rate),
					level).Upper <= tc.limit {
					above++
				}
			}
			// Three standard errors of the simulation, and one run of it, on top of what is
			// promised.
			most := func(p float64) float64 { return p + 3*math.Sqrt(p*(1-p)/float64(n)) + 1/float64(n) }
			require.LessOrEqual(t, float64(missed)/float64(n), most(tc.missed), "called missed: %+v at %d/s", tc, rate)
			require.LessOrEqual(t, float64(held)/float64(n), most(tc.held), "called held: %+v at %d/s", tc, rate)
			require.LessOrEqual(t, float64(above)/float64(n), most(tc.heldHalfAbove), "called held, half above: %+v at %d/s", tc,
				rate)
		}
	}
}

// TestSharePower: what is clearly within a limit is held, and what is clearly above it is missed.
func TestSharePower(t *testing.T) {
	t.Parallel()
	level := Levels{Lower: 0.01, Upper: 0.05}
	for _, tc := range []struct {
		seconds      int
		limit, share float64
		spell        float64
		missed, held float64 // at least
	}{
		{120, 0.05, 0.002, 0, 0, 0.95},
		{600, 0.05, 0.025, 0, 0, 0.95},
		{600, 0.01, 0.0005, 0, 0, 0.95},
		{600, 0.05, 0.005, 1, 0, 0.9},
		{60, 0.05, 0.1, 0, 0.95, 0},
		{120, 0.05, 0.075, 0, 0.7, 0},
		{600, 0.01, 0.015, 0, 0.7, 0},
		{600, 0.05, 0.15, 1, 0.9, 0},
	} {
		rng := rand.New(rand.NewPCG(uint64(tc.seconds), uint64(1000*tc.share)))
		missed, held := 0.0, 0.0
		const tries = 200
		for range tries {
			s := ShareOf(spells{tc.share, tc.spell}.tallies(rng, tc.seconds, 12), 24, level)
			if s.Lower > tc.limit {
				missed += 1.0 / tries
			}
			if s.Upper <= tc.limit {
				held += 1.0 / tries
			}
		}
		require.GreaterOrEqual(t, missed, tc.missed, "%+v", tc)
		require.GreaterOrEqual(t, held, tc.held, "%+v", tc)
	}
}

func TestShareOf(t *testing.T) {
	t.Parallel()
	level := Levels{Lower: 0.05, Upper: 0.05}
	even := func(hits, seconds, each float64) (out []Tally) {
		for i := range int(seconds) {
			out = append(out, Tally{Hits: math.Floor(hits*float64(i+1)/seconds) - math.Floor(hits*float64(i)/seconds), Of: each})
		}
		return out
	}
	// R: binom.test(0, 60, alternative = "less"), upper bound 0.04870291.
	require.InDelta(t, 0.04870291, ShareOf(even(0, 60, 12), 12, level).Upper, 1e-7)
	require.InDelta(t, 0.04870291, NoneBound(60, 0.05), 1e-7)
	require.InDelta(t, 60, NoneNeeds(NoneBound(60, 0.05), 0.05), 1e-9)
	// R: binom.test(10, 100): 90 % interval 0.0552627 to 0.1637103, one-sided 95 % each.
	require.InDelta(t, 0.0552627, ClopperPearsonLower(10, 100, 0.05), 1e-4)
	require.InDelta(t, 0.1637, ClopperPearsonUpper(10, 100, 0.05), 2e-3)
	none := ShareOf(nil, 1, level)
	require.True(t, math.IsNaN(none.Share) && none.Lower == 0 && none.Upper == 1)
	one := ShareOf([]Tally{{Hits: 12, Of: 12}}, 24, level)
	require.LessOrEqual(t, one.Lower, 0.06, "one second is one observation")
	require.InDelta(t, 1, one.Upper, 0)
	all := ShareOf(even(720, 60, 12), 24, level)
	require.InDelta(t, 1, all.Upper, 0)
	require.InDelta(t, math.Pow(0.05, 1.0/30), all.Lower, 1e-9, "all hits: as many observations as bursts")

	// The example of the review: 108 of 7,200 fetches, one in 67, where one in 100 may be.
	s := ShareOf(even(108, 600, 12), 24, Levels{Lower: 0.01, Upper: 0.05})
	require.Greater(t, s.Lower, 0.01)
	// The same 108 in nine seconds on end are one burst and prove nothing.
	burst := even(0, 600, 12)
	for i := range 9 {
		burst[300+i].Hits = 12
	}
	s = ShareOf(burst, 24, Levels{Lower: 0.01, Upper: 0.05})
	require.Less(t, s.Lower, 0.01)
	require.Greater(t, s.Upper, 0.01)
	require.Less(t, s.Effective, 200.0)

	// More hits never make the bound smaller than none do.
	for hits := range 40 {
		require.GreaterOrEqual(t, ShareOf(even(float64(hits), 600, 12), 24, level).Upper, NoneBound(300, 0.05))
	}
	require.InDelta(t, ShareOf(even(12, 600, 12), 24, level).Upper, SpreadBound(12, 7200, 24, 0.05), 2e-3)
}

// TestMeanErrors holds the promises of docs/method.md about means.
func TestMeanErrors(t *testing.T) {
	t.Parallel()
	level := Levels{Lower: 0.01, Upper: 0.05}
	lognormal := func(sigma float64) func(*rand.Rand) float64 {
		return func(rng *rand.Rand) float64 { return math.Exp(sigma*rng.NormFloat64() - sigma*sigma/2) }
	}
	exponential := func(rng *rand.Rand) float64 { return rng.ExpFloat64() }
	pareto := func(rng *rand.Rand) float64 { return math.Pow(1-rng.Float64(), -1/1.5) / 3 } // infinite variance
	for name, tc := range map[string]struct {
		of           func(*rand.Rand) float64
		slow         spells // during which a fetch takes times as long
		times        float64
		seconds      int
		held         float64 // at most how often a mean that is the limit itself is called held
		quarterHolds float64 // at least how often a mean of a quarter of the limit is
	}{
		"exponential":              {exponential, spells{}, 0, 60, 0.05, 0.95},
		"log-normal":               {lognormal(1), spells{}, 0, 60, 0.05, 0.9},
		"heavy tail":               {lognormal(2), spells{}, 0, 600, 0.05, 0.4},
		"infinite variance":        {pareto, spells{}, 0, 600, 0.05, 0.5},
		"spells of 1 s":            {exponential, spells{0.02, 1}, 20, 60, 0.05, 0.85},
		"spells of 1 s, ten min":   {exponential, spells{0.02, 1}, 20, 600, 0.05, 0.95},
		"spells of 5 s, ten min":   {exponential, spells{0.02, 5}, 20, 600, 0.3, 0.95},
		"rare, a hundred times":    {exponential, spells{0.005, 1}, 100, 300, 0.3, 0.8},
		"rare, and in a short run": {exponential, spells{0.005, 1}, 100, 60, 0.12, 0.6},
	} {
		rng := rand.New(rand.NewPCG(uint64(tc.seconds), uint64(len(name))))
		const tries = 200
		missed, held, quarter := 0.0, 0.0, 0.0
		truth := 1 + tc.slow.share*(tc.times-1)
		if tc.times == 0 {
			truth = 1
		}
		for range tries {
			var state []Tally
			if tc.times > 0 {
				state = tc.slow.tallies(rng, tc.seconds, 12)
			}
			spans, most := make([]Sum, tc.seconds), 0.0
			for i := range spans {
				for k := range 12 {
					v := tc.of(rng)
					if tc.times > 0 && float64(k) < state[i].Hits {
						v = tc.times
					}
					most = max(most, v)
					spans[i].Sum, spans[i].Of = spans[i].Sum+v, spans[i].Of+1
				}
			}
			m := MeanOf(spans, 24, most, level)
			if m.Lower > truth {
				missed += 1.0 / tries
			}
			if m.Upper <= truth {
				held += 1.0 / tries
			}
			if m.Upper <= 4*truth {
				quarter += 1.0 / tries
			}
		}
		most := func(p float64) float64 { return p + 3*math.Sqrt(p*(1-p)/tries) + 1.0/tries }
		require.LessOrEqual(t, missed, most(0.01), name)
		require.LessOrEqual(t, held, most(tc.held), name)
		require.GreaterOrEqual(t, quarter, tc.quarterHolds, name)
	}
	require.True(t, math.IsNaN(MeanOf(nil, 1, 0, level).Mean))
	require.True(t, math.IsInf(MeanOf([]Sum{{Sum: 5, Of: 5}}, 1, 1, level).Upper, 1), "one second has no variance")
}
