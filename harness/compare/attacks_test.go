package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
)

// noise is the standard deviation of a pair's log-ratio, by metric.
type noise map[string]float64

// measured is what charts on two shared cores showed at worst, docs/method.md.
func measured() noise {
	return noise{"fetch_p50_ms": 0.10, "openbao_cpu_ms_per_fetch": 0.10, "fetch_p95_ms": 0.23}
}

// gateLike is the design of steamer gate.
func gateLike() Design {
	d := DefaultDesign()
	d.Where, d.MaxPairs = "made up", 36
	d.GateMetrics = DefaultGate(0.10)
	return d
}

// drawn drives pairs until an interim analysis decides, as the engine does. Slices of a pair share
// most of what the machine does to them, and the metrics of a slice a part of it; b multiplies
// what B takes.
func drawn(rng *rand.Rand, d Design, sd noise, b noise, change func(i int, p *Pair)) *Comparison {
	c := New("drawn", d)
	for i := range d.MaxPairs {
		shared := 0.3 * rng.NormFloat64()
		slice := func(by noise) Slice {
			s := Slice{Start: time.Unix(int64(i), 0).UTC(), Fetches: 300, Achieved: 60, Values: map[string]float64{}}
			common := rng.NormFloat64()
			for k, name := range Recorded() {
				own := math.Sqrt(0.5)*common + math.Sqrt(0.5)*rng.NormFloat64()
				s.Values[name] = float64(k+1) * math.Exp(shared+sd[name]/math.Sqrt2*own)
				if f := by[name]; f > 0 {
					s.Values[name] *= f
				}
			}
			return s
		}
		p := Pair{Order: []string{"AB", "BA"}[rng.IntN(2)], A: slice(nil), B: slice(b)}
		if change != nil {
			change(i, &p)
		}
		if c.Pairs = append(c.Pairs, p); len(c.Pairs)%d.InterimEvery == 0 {
			if Judge(c, nil); c.Decided() {
				break
			}
		}
	}
	c.Finished, c.Partial = c.Started.Add(time.Minute), false
	Judge(c, nil)
	return c
}

// rates counts verdicts over comparisons, and those that the first analysis decided.
func rates(seed uint64, tries int, d Design, sd, b noise, change func(*rand.Rand) func(int,
	*Pair),
) (by map[result.Verdict]float64, first float64) {
	rng := rand.New(rand.NewPCG(seed, seed))
	by = map[result.Verdict]float64{}
	for range tries {
		var f func(int, *Pair)
		if change != nil {
			f = change(rng)
		}
		c := drawn(rng, d, sd, b, f)
		by[c.Verdict] += 1 / float64(tries)
		if c.Decided() && len(c.Pairs) == d.InterimEvery {
			first += 1 / float64(tries)
		}
	}
	return by, first
}

// TestGateDesign simulates what docs/method.md says of the gate's comparison: how often equals
// pass, how soon, and what is found.
func TestGateDesign(t *testing.T) {
	t.Parallel()
	const tries = 300
	quiet := noise{"fetch_p50_ms": 0.053, "openbao_cpu_ms_per_fetch": 0.072, "fetch_p95_ms": 0.13}
	crowded := noise{"fetch_p50_ms": 0.10, "openbao_cpu_ms_per_fetch": 0.10, "fetch_p95_ms": 0.32}
	narrow := gateLike()
	narrow.GateMetrics = narrow.GateMetrics[:2]
	for _, c := range []struct {
		name   string
		design Design
		sd, b  noise
		want   result.Verdict
		least  float64 // how often it is the verdict
		first  float64 // how often the first analysis decides
	}{
		{"equals, a quiet machine", gateLike(), quiet, nil, result.Pass, 0.99, 0.95},
		{"equals, a noisy machine", gateLike(), measured(), nil, result.Pass, 0.97, 0.45},
		{"equals, a crowded machine", gateLike(), crowded, nil, result.Pass, 0.9, 0.2},
		{"equals, without p95", narrow, measured(), nil, result.Pass, 0.98, 0.55},
		{"p95 ten times", gateLike(), measured(), noise{"fetch_p95_ms": 10}, result.Fail, 1, 1},
		{"p95 twice", gateLike(), measured(), noise{"fetch_p95_ms": 2}, result.Fail, 0.99, 0.7},
		{"p95 1.6 times", gateLike(), measured(), noise{"fetch_p95_ms": 1.6}, result.Fail, 0.8, 0},
		{"p95 1.4 times, a quiet machine", gateLike(), quiet, noise{"fetch_p95_ms": 1.4}, result.Fail, 0.5, 0},
		{"CPU 1.3 times", gateLike(), measured(), noise{"openbao_cpu_ms_per_fetch": 1.3}, result.Fail, 0.95, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			by, first := rates(21, tries, c.design, c.sd, c.b, nil)
			t.Logf("%s: %v; the first analysis decides %.2f", c.name, by, first)
			require.GreaterOrEqual(t, by[c.want]+1e-9, c.least)
			require.GreaterOrEqual(t, first+1e-9, c.first)
		})
	}
}

// TestWrongFails is the promise about wrong FAILs, 5 % at most over all metrics, outcomes and
// interim analyses, on data in which A and B are one system: at a margin of 0, where every metric
// is at its edge, without failures and with ones that both have alike, in bursts, too.
func TestWrongFails(t *testing.T) {
	t.Parallel()
	const tries = 600
	edge := gateLike()
	for i := range edge.GateMetrics {
		edge.GateMetrics[i].Margin = 0
	}
	burst := func(share float64, size int64) func(*rand.Rand) func(int, *Pair) {
		return func(rng *rand.Rand) func(int, *Pair) {
			return func(_ int, p *Pair) {
				for _, s := range []*Slice{&p.A, &p.B} {
					if rng.Float64() < share {
						s.Failed = 1 + rng.Int64N(size)
					}
				}
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(*rand.Rand) func(int, *Pair)
	}{
		{"no failures", nil},
		{"few failures with both", burst(0.1, 1)},
		{"bursts of failures with both", burst(0.3, 300)},
		{"both disturbed", func(rng *rand.Rand) func(int, *Pair) {
			return func(_ int, p *Pair) {
				for _, s := range []*Slice{&p.A, &p.B} {
					if rng.Float64() < 0.2 {
						s.Overload = "dropped-iterations missed"
					}
					if rng.Float64() < 0.2 {
						s.Invalid = []string{"restart missed"}
					}
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			by, _ := rates(22, tries, edge, measured(), nil, c.change)
			t.Logf("%s: %v", c.name, by)
			require.LessOrEqual(t, by[result.Fail], 42./tries,
				"5 %% of 600 is 30; more than 42 has a probability of 1.4 %%")
			at, _ := rates(23, tries/4, gateLike(), measured(), nil, c.change)
			t.Logf("%s, at the margins of the gate: %v", c.name, at)
			require.LessOrEqual(t, at[result.Fail], 0.05)
		})
	}
}

// TestAttacks: a good comparison with one true fault of B never passes, and one that is proven
// fails.
func TestAttacks(t *testing.T) {
	t.Parallel()
	failing := func(s *Slice) { // B answers 503 to everything at once, which is quick and costs nothing
		s.Failed = s.Fetches
		for name := range s.Values {
			s.Values[name] /= 50
		}
	}
	overloaded := func(s *Slice) { s.Overload = "dropped-iterations missed" }
	restarted := func(s *Slice) { s.Invalid = []string{"restart missed"} }
	stalled := func(s *Slice) { s.Invalid = []string{"database missed"} }
	led := func(s *Slice) { s.Invalid = []string{"leadership missed"} }
	oneFailed := func(s *Slice) { s.Failed = 1 }
	wrong := func(s *Slice) { s.Wrong = 1 }
	every := func(n, of int, f func(*Slice)) func(int, *Pair) { // n of every so many pairs
		return func(i int, p *Pair) {
			if i%of < n {
				f(&p.B)
			}
		}
	}
	both := func(f func(*Slice)) func(int, *Pair) {
		return func(_ int, p *Pair) { f(&p.A); f(&p.B) }
	}
	type attack struct {
		name   string
		b      noise
		change func(int, *Pair)
		want   result.Verdict // empty: FAIL or INCONCLUSIVE
	}
	attacks := []attack{
		{"503 in 4 of 12", nil, every(4, 12, failing), result.Fail},
		{"503 in 3 of 12", nil, every(3, 12, failing), result.Fail},
		{"503 in all", nil, every(1, 1, failing), result.Fail},
		{"one failed fetch in every slice", nil, every(1, 1, oneFailed), result.Fail},
		{"overload in 3 of 12", nil, every(3, 12, overloaded), result.Fail},
		{"restarts in 3 of 12", nil, every(3, 12, restarted), result.Fail},
		{
			"overload in 7 of 12", nil, every(7, 12, overloaded),
			result.Fail,
		}, // half of the pairs are discarded, which ends nothing here
		{"both fail everything", nil, both(failing), result.Inconclusive},
		{"both fail a fetch", nil, both(oneFailed), result.Inconclusive},
		{"both are overloaded", nil, both(overloaded), result.Inconclusive},
		{"both restart", nil, both(restarted), result.Inconclusive},
		{"both answer wrong values", nil, both(wrong), result.Fail},
		{"A fails, too, but less", nil, func(i int, p *Pair) {
			if p.B.Failed = 100; i%4 == 0 {
				p.A.Failed = 1
			}
		}, result.Fail},
		{"p50 ten times", noise{"fetch_p50_ms": 10}, nil, result.Fail},
		{"p95 ten times", noise{"fetch_p95_ms": 10}, nil, result.Fail},
		{"CPU ten times", noise{"openbao_cpu_ms_per_fetch": 10}, nil, result.Fail},
		{"slow, and quick where it fails", noise{"fetch_p50_ms": 3}, every(5, 12, failing), result.Fail},
		{"CPU not observed where it is large", noise{"openbao_cpu_ms_per_fetch": 3}, func(i int, p *Pair) {
			if i%12 < 5 {
				p.B.Values["openbao_cpu_ms_per_fetch"] = 0
			}
		}, ""},
		{"p95 gone", nil, func(_ int, p *Pair) { delete(p.B.Values, "fetch_p95_ms") }, result.Inconclusive},
		{"hardly a fetch", nil, func(_ int, p *Pair) { p.B.Fetches = 20 }, result.Inconclusive},
	}
	for name, f := range map[string]func(*Slice){
		"503": failing, "failed": oneFailed, "overload": overloaded,
		"restart": restarted, "database": stalled, "leader": led,
	} {
		for _, n := range []int{1, 2, 3, 4, 5, 6} {
			attacks = append(attacks, attack{fmt.Sprintf("%s in %d of 36", name, n), nil, every(n, 36, f), ""})
		}
	}
	attacks = append(attacks, attack{"one wrong value", nil, every(1, 36, wrong), result.Fail})
	for i, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			for try := range uint64(5) {
				c := drawn(rand.New(rand.NewPCG(24+try, uint64(i))), gateLike(), measured(), a.b, a.change)
				require.NotEqual(t, result.Pass, c.Verdict, "%v", c.Reasons)
				if a.want != "" {
					require.Equal(t, a.want, c.Verdict, "%v", c.Reasons)
				}
			}
		})
	}
	good, quiet := noise(nil), noise{"fetch_p50_ms": 0.05, "openbao_cpu_ms_per_fetch": 0.05, "fetch_p95_ms": 0.1}
	require.Equal(t, result.Pass, drawn(rand.New(rand.NewPCG(25, 25)), gateLike(), quiet, good, nil).Verdict,
		"the same without an attack")
	c := drawn(rand.New(rand.NewPCG(26, 26)), gateLike(), quiet, noise{"fetch_p50_ms": 3}, nil)
	Judge(c, held(t, "fetch_p50_ms"))
	require.Equal(t, result.Fail, c.Verdict, "a quarantine hides nothing")
}
