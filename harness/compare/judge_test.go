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

// decisive are metrics that decide, a noisy one among them.
func decisive() []string { return []string{"fetch_p50_ms", "fetch_p95_ms", "openbao_cpu_ms_per_fetch"} }

// gates are metrics that decide, all with one margin.
func gates(margin float64, names ...string) (list []GateMetric) {
	for _, name := range names {
		list = append(list, GateMetric{Name: name, Margin: margin})
	}
	return list
}

// made is a comparison whose slices have B's metrics ratio times A's, with noise
// of sd on the log scale that the slices of a pair partly share, as on a real machine.
func made(rng *rand.Rand, pairs int, ratio, sd float64) *Comparison {
	d := DefaultDesign()
	d.Where, d.MaxPairs, d.InterimEvery = "made up", 40, 10
	d.GateMetrics = gates(0.10, decisive()...)
	c := New("test", d)
	for i := range pairs {
		shared := rng.NormFloat64() * 0.3
		value := func(by float64) Slice {
			s := Slice{Start: time.Unix(int64(i), 0).UTC(), Fetches: 3000, Achieved: 300, Values: map[string]float64{}}
			for k, name := range decisive() {
				s.Values[name] = float64(k+1) * by * math.Exp(shared+sd/math.Sqrt2*rng.NormFloat64())
			}
			return s
		}
		c.Pairs = append(c.Pairs, Pair{Order: "AB", A: value(1), B: value(ratio)})
	}
	c.Finished, c.Partial = time.Now().UTC(), false
	return c
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		pairs     int
		ratio, sd float64
		change    func(*Comparison)
		want      result.Verdict
		reason    string
	}{
		{"the same", 40, 1, 0.05, nil, result.Pass, "below the margin of 10 %"},
		{"half as fast", 40, 2, 0.05, nil, result.Fail, "above the margin of 10 %"},
		{"faster", 40, 0.5, 0.05, nil, result.Pass, "B/A 0.4"},
		{"at the margin", 40, 1.1, 0.05, nil, result.Inconclusive, "across the margin"},
		{"too noisy", 10, 1.05, 0.5, nil, result.Inconclusive, "too large to tell"},
		{"too few", 4, 2, 0.01, nil, result.Inconclusive, "too few pairs: 4"},
		{"none", 0, 1, 0, nil, result.Inconclusive, "no pair was driven"},
		{"interrupted", 40, 1, 0.05, func(c *Comparison) { c.Partial = true }, result.Inconclusive, "did not reach its end"},
		{"interrupted, but clear", 40, 2, 0.05, func(c *Comparison) { c.Partial = true }, result.Fail, "above the margin"},
		{
			"a wrong value", 40, 1, 0.05, func(c *Comparison) { c.Pairs[3].B.Wrong = 1 }, result.Fail,
			"1 fetches with a wrong value",
		},
		{
			"a wrong value of the base", 40, 1, 0.05, func(c *Comparison) { c.Pairs[3].A.Wrong = 2 }, result.Inconclusive,
			"cannot be the base",
		},
		{
			"B does not come up", 0, 1, 0, func(c *Comparison) { c.B.Unfit = "no PostgreSQL" }, result.Fail,
			"B does not: no PostgreSQL",
		},
		{
			"A does not come up", 0, 1, 0, func(c *Comparison) { c.A.Unfit, c.B.Unfit = "x", "y" }, result.Inconclusive,
			"A did not come up",
		},
		{
			"B fails fetches", 40, 1, 0.05, each(func(p *Pair) { p.B.Failed = 5 }), result.Fail,
			"failed fetches: 50 with B and 0 with A; more with B in 10 of 10 pairs",
		},
		{
			"B fails fetches in some", 10, 1, 0.02, some(6, func(p *Pair) { p.B.Failed = 5 }), result.Inconclusive,
			"failed fetches: 30 with B and 0 with A; more with B in 6 of 10 pairs, more with A in 0, which may be chance",
		},
		{
			"B fails fetches once", 40, 1, 0.02, some(1, func(p *Pair) { p.B.Failed = 5 }), result.Inconclusive,
			"failed fetches: 5 with B and 0 with A; more with B in 1 of 40 pairs",
		},
		{
			"A fails fetches once", 40, 1, 0.02, some(1, func(p *Pair) { p.A.Failed = 5 }), result.Pass,
			"failed fetches: 0 with B and 5 with A; more with B in 0 of 10 pairs, more with A in 1, which says nothing against B",
		},
		{
			"A fails fetches in a third", 40, 1, 0.02, some(14, func(p *Pair) { p.A.Failed = 5 }), result.Inconclusive,
			"only 26 of 40 pairs are valid: 14 × A: failed fetches",
		},
		{
			"B fails fetches after the pairs that decided", 40, 1, 0.02,
			func(c *Comparison) { c.Pairs[39].B.Failed = 1 }, result.Inconclusive,
			"failed fetches: 1 with B after the pairs that decided",
		},
		{"A fails fetches in more", 40, 1, 0.02, func(c *Comparison) {
			some(6, func(p *Pair) { p.A.Failed = 5 })(c)
			c.Pairs[8].B.Failed = 1
		}, result.Inconclusive, "a base that has them cannot be the base, and B has them as well"},
		{"both fail fetches, B more", 40, 1, 0.02, each(func(p *Pair) {
			p.A.Fetches, p.B.Fetches, p.A.Failed, p.B.Failed = 2400, 2400, 1, 1200
		}), result.Fail, "failed fetches: 12000 with B and 10 with A; more with B in 10 of 10 pairs"},
		{"B restarts", 40, 1, 0.02, func(c *Comparison) {
			c.Design.InterimEvery = 40
			some(8, func(p *Pair) { p.B.Invalid = []string{"restart missed"} })(c)
		}, result.Fail, "a standstill of the database: 8 with B and 0 with A; more with B in 8 of 40 pairs"},
		{
			"B restarts once", 40, 1, 0.02, some(1, func(p *Pair) { p.B.Invalid = []string{"restart missed"} }),
			result.Inconclusive, "a restart, a change of leadership",
		},
		{"both restart", 40, 1, 0.02, func(c *Comparison) {
			c.Design.InterimEvery = 40
			some(8, func(p *Pair) { p.A.Invalid, p.B.Invalid = []string{"leadership missed"}, []string{"restart missed"} })(c)
		}, result.Inconclusive, "a base that has them cannot be the base"},
		{
			"both fail fetches", 40, 1, 0.05, each(func(p *Pair) { p.A.Failed, p.B.Failed = 5, 5 }), result.Inconclusive,
			"failed fetches: 200 with B and 200 with A; more with B in 0 of 40 pairs, more with A in 0: a base that has them cannot be the base",
		},
		{"B is faster where it fails", 40, 1, 0.02, func(c *Comparison) {
			each(func(p *Pair) { p.B.Values["fetch_p50_ms"] *= 1.5 })(c)
			some(9, func(p *Pair) { p.B.Failed, p.B.Values["fetch_p50_ms"] = 3000, 0.001 })(c)
		}, result.Fail, "p50"},
		{
			"B does not carry the load once", 40, 1, 0.02, some(1, func(p *Pair) { p.B.Overload = "dropped" }),
			result.Inconclusive, "not carried: 1 with B and 0 with A",
		},
		{
			"B does not carry the load", 40, 1, 0.05, each(func(p *Pair) { p.B.Overload = "dropped" }), result.Fail,
			"not carried: 10 with B and 0 with A; more with B in 10 of 10 pairs",
		},
		{
			"invalid slices", 40, 1, 0.05, each(func(p *Pair) { p.A.Invalid = []string{"steady missed"} }), result.Inconclusive,
			"only 0 of 40 pairs are valid: 40 × A: steady missed",
		},
		{
			"some invalid slices", 40, 1, 0.05, func(c *Comparison) { c.Pairs[0].A.Invalid = []string{"steady missed"} },
			result.Pass, "",
		},
		{
			"thin quantiles", 40, 1, 0.05, each(func(p *Pair) { p.A.Fetches = 199 }), result.Inconclusive,
			"199 fetches in a slice are too few, it takes 200",
		},
		{"quantiles of enough", 40, 1, 0.05, each(func(p *Pair) { p.A.Fetches = 200 }), result.Pass, ""},
		{"thin quantiles of a record", 40, 1, 0.05, each(func(p *Pair) {
			p.A.Fetches, p.A.Thin = 0,
				map[string]string{"fetch_p95_ms": "too few fetches"}
		}), result.Inconclusive, "too few fetches"},
		{"one thin slice", 40, 1, 0.05, func(c *Comparison) { c.Pairs[3].B.Fetches = 150 }, result.Pass, ""},
		{
			"slow where few slices are thin", 40, 2, 0.05, func(c *Comparison) { c.Pairs[3].B.Fetches = 150 },
			result.Fail, "p95",
		},
		{
			"nothing to judge by", 40, 1, 0.05, each(func(p *Pair) { p.A.Values = nil }), result.Inconclusive,
			"no pair has a value: a slice has no value",
		},
		{"values for half of the pairs", 40, 1, 0.05, func(c *Comparison) {
			for i := range 20 {
				delete(c.Pairs[2*i].A.Values, "openbao_cpu_ms_per_fetch")
			}
		}, result.Inconclusive, "pairs have a value"},
		{"a zero", 40, 1, 0.05, func(c *Comparison) { c.Pairs[0].A.Values["fetch_p50_ms"] = 0 }, result.Pass, ""},
		{
			"a zero, but slow", 40, 2, 0.05, func(c *Comparison) { c.Pairs[0].B.Values["openbao_cpu_ms_per_fetch"] = 0 },
			result.Fail, "CPU",
		},
		{
			"zeros in a third", 40, 1, 0.05, some(14, func(p *Pair) { p.A.Values["openbao_cpu_ms_per_fetch"] = 0 }),
			result.Inconclusive, "only 26 of 40 valid pairs have a value: a slice has the value 0",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			doc := made(rand.New(rand.NewPCG(1, 2)), c.pairs, c.ratio, c.sd)
			if c.change != nil {
				c.change(doc)
			}
			Judge(doc, nil)
			require.Equal(t, c.want, doc.Verdict, "%v", doc.Reasons)
			require.Contains(t, fmt.Sprint(doc.Reasons), c.reason)
			again := *doc
			Judge(&again, nil)
			require.Equal(t, *doc, again, "judging twice changes nothing")
			data, err := Encode(doc)
			require.NoError(t, err)
			back, err := Decode("x", data)
			require.NoError(t, err)
			Judge(back, nil)
			require.Equal(t, doc.Verdict, back.Verdict, "and judging from the file gives the same")
			require.Equal(t, doc.Reasons, back.Reasons)
		})
	}
}

// TestEndKeepsTheAnalysis: that an analysis decided is why the comparison ended, which gives it no
// more of alpha than it had.
func TestEndKeepsTheAnalysis(t *testing.T) {
	t.Parallel()
	c := made(rand.New(rand.NewPCG(1, 2)), 10, 1, 0.02)
	c.Design.MaxPairs, c.Finished = 30, time.Time{}
	some(8, func(p *Pair) { p.B.Failed = 1 })(c)
	Judge(c, nil)
	level := c.Design.Alpha * 10 / 30
	require.Equal(t, result.Inconclusive, c.Verdict, "%v", c.Reasons)
	require.InDelta(t, level, c.Interims[0].Level, 1e-12)
	c.Finished = time.Now()
	Judge(c, nil)
	require.Len(t, c.Interims, 1)
	require.InDelta(t, c.Design.Alpha, c.Interims[0].Level, 1e-12, "the time was up: what is left of alpha is free")
	require.Equal(t, result.Fail, c.Verdict)

	decided := made(rand.New(rand.NewPCG(1, 2)), 10, 1, 0.02)
	decided.Design.MaxPairs = 30
	Judge(decided, nil)
	require.Equal(t, result.Pass, decided.Verdict)
	require.InDelta(t, level, decided.Interims[0].Level, 1e-12, "decided at its own level, also when judged after the end")
}

// some changes the first n pairs.
func some(n int, change func(*Pair)) func(*Comparison) {
	return func(c *Comparison) {
		for i := range n {
			change(&c.Pairs[i])
		}
	}
}

func each(change func(*Pair)) func(*Comparison) {
	return func(c *Comparison) {
		for i := range c.Pairs {
			change(&c.Pairs[i])
		}
	}
}

// TestErrorRates judges many comparisons as they grow, at the edge of the margin,
// where FAIL and PASS are both wrong: either may come out in 5 % at most, although
// three metrics are looked at four times.
func TestErrorRates(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	const tries = 600
	count := map[result.Verdict]int{}
	for range tries {
		c := made(rng, 40, 1.1, 0.08)
		Judge(c, nil)
		count[c.Verdict]++
	}
	// 5 % of 600 is 30; more than 42 has a probability of 1.4 %.
	require.LessOrEqual(t, count[result.Fail], 42, "%v", count)
	require.Greater(t, count[result.Fail], 3, "the correction does not make FAIL impossible: %v", count)
	require.LessOrEqual(t, count[result.Pass], 42, "%v", count)
}

// TestPower is the other side: what the design finds.
func TestPower(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	const tries = 200
	found := 0
	for range tries {
		c := made(rng, 40, 1.2, 0.08)
		Judge(c, nil)
		if c.Verdict == result.Fail {
			found++
		}
	}
	require.Greater(t, found, tries*95/100, "20 %% more at 8 %% of noise, margin 10 %%")
}

func TestEarlyDecision(t *testing.T) {
	t.Parallel()
	c := made(rand.New(rand.NewPCG(7, 8)), 10, 3, 0.05)
	c.Finished = time.Time{}
	Judge(c, nil)
	require.True(t, c.Decided())
	require.Equal(t, result.Fail, c.Verdict)
	require.Len(t, c.Interims, 1)

	c = made(rand.New(rand.NewPCG(7, 8)), 8, 3, 0.05)
	c.Finished = time.Time{}
	Judge(c, nil)
	require.False(t, c.Decided(), "no interim analysis is due")
	require.Contains(t, c.Reasons[0], "the first interim analysis comes after 10")

	c = made(rand.New(rand.NewPCG(7, 8)), 10, 1, 0.05)
	c.Finished = time.Time{}
	each(func(p *Pair) { p.A.Invalid = []string{"steady missed"} })(c)
	Judge(c, nil)
	require.True(t, c.Decided(), "there is no point in going on")
}
