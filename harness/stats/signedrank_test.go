package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCriticalValues compares with published tables: for two-sided 0.05 OEIS
// A226330 (after Mitic, "Critical Values for the Wilcoxon Signed Rank Statistic",
// Mathematica Journal 6), for the others McCornack, JASA 60 (1965), 864-871.
func TestCriticalValues(t *testing.T) {
	t.Parallel()
	for _, table := range []struct {
		alpha float64 // one-sided
		from  int
		c     []int
	}{
		{0.05, 4, []int{-1, 0, 2, 3, 5, 8, 10, 13, 17, 21, 25, 30, 35, 41, 47, 53, 60}},
		{0.025, 5, []int{
			-1, 0, 2, 3, 5, 8, 10, 13, 17, 21, 25, 29, 34, 40, 46, 52, 58, 65, 73, 81, 89, 98, 107, 116, 126, 137, 147, 159, 170,
			182, 195,
			208, 221, 235, 249, 264, 279, 294, 310, 327, 343, 361, 378, 396, 415, 434,
		}},
		{0.025, 51, []int{453, 473, 494, 514, 536, 557, 579, 602, 625, 648, 672}}, // by the normal approximation
		{0.005, 7, []int{-1, 0, 1, 3, 5, 7, 9, 12, 15, 19, 23, 27, 32, 37}},
	} {
		for i, want := range table.c {
			c, p := criticalRank(table.from+i, table.alpha)
			require.InDelta(t, want, c, map[bool]float64{true: 1}[table.from > maxExact], "n=%d alpha=%v", table.from+i,
				table.alpha)
			require.LessOrEqual(t, p, table.alpha)
		}
	}
}

// TestPublishedExamples are worked examples of the literature.
func TestPublishedExamples(t *testing.T) {
	t.Parallel()
	// Hollander and Wolfe, examples 3.1 to 3.4: Hamilton depression scale of 9
	// patients, before and after a tranquilizer. R's ?wilcox.test has it too.
	before := []float64{1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30}
	after := []float64{0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29}
	d := make([]float64, len(before))
	for i := range d {
		d[i] = before[i] - after[i]
	}
	r := SignedRankTest(d, 0)
	require.Equal(t, 40.0, r.Plus)
	require.InDelta(t, 0.01953, r.Greater, 5e-6)
	require.InDelta(t, 0.03906, 2*min(r.Less, r.Greater), 5e-6)
	require.InDelta(t, 0.46, hodgesLehmann(d), 1e-9)
	i := signedRankInterval(d, 0.025)
	require.InDelta(t, 0.010, i.Lo, 1e-9)
	require.InDelta(t, 0.786, i.Hi, 1e-9)
	require.InDelta(t, 0.961, i.Confidence, 5e-4)

	// Darwin's maize (Fisher, The Design of Experiments, 1935); p-values as in SciPy's
	// documentation of wilcoxon.
	maize := SignedRankTest([]float64{6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75}, 0)
	require.Equal(t, 120.0-24, maize.Plus)
	require.InDelta(t, 0.041259765625, 2*min(maize.Less, maize.Greater), 1e-12)
	require.InDelta(t, 0.0206298828125, maize.Greater, 1e-12)
}

// TestTiesAndZeros compares with all sign patterns written out, for Pratt's ranks.
func TestTiesAndZeros(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		d     []float64
		ranks []float64 // of the non-zero ones, in their order
	}{
		{[]float64{1, -1, 2, 2, -2, 3}, []float64{1.5, 1.5, 4, 4, 4, 6}},
		{[]float64{0, 0, 1, -2, 3, 4}, []float64{3, 4, 5, 6}},
		{[]float64{0, 1, 1, 1, 1, 1, 1}, []float64{4.5, 4.5, 4.5, 4.5, 4.5, 4.5}},
		{[]float64{0, 0}, nil},
	} {
		plus, k := 0.0, 0
		for _, v := range c.d {
			if v == 0 {
				continue
			}
			if v > 0 {
				plus += c.ranks[k]
			}
			k++
		}
		require.Equal(t, len(c.ranks), k)
		less, greater := 0.0, 0.0
		for signs := range 1 << k {
			w := 0.0
			for i, r := range c.ranks {
				if signs>>i&1 == 1 {
					w += r
				}
			}
			if w <= plus {
				less++
			}
			if w >= plus {
				greater++
			}
		}
		got := SignedRankTest(c.d, 0)
		require.Equal(t, plus, got.Plus, "%v", c.d)
		require.InDelta(t, less/float64(int(1)<<k), got.Less, 1e-12, "%v", c.d)
		require.InDelta(t, greater/float64(int(1)<<k), got.Greater, 1e-12, "%v", c.d)
	}
}

// TestApproximationJoins checks that nothing jumps where enumeration ends.
func TestApproximationJoins(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		d := make([]float64, maxExact)
		for i := range d {
			d[i] = rng.NormFloat64() + 0.3
		}
		ranks, plus := doubledRanks(d, 0)
		_, exact := exactTails(ranks, plus)
		_, normal := normalTails(ranks, plus)
		if exact > 0.0025 {
			require.InEpsilon(t, exact, normal, 0.15)
		}
		more := SignedRankTest(append(d, 0.01), 0)
		require.False(t, more.Exact)
		require.InDelta(t, exact, more.Greater, 0.02)
	}
}

// TestCoverage draws from three symmetric distributions around 0.3 and counts how
// often each bound of the interval is on the wrong side, which may happen in 2.5 %.
func TestCoverage(t *testing.T) {
	t.Parallel()
	const experiments = 6000
	rng := rand.New(rand.NewPCG(2, 2))
	for name, draw := range map[string]func() float64{
		"normal":  rng.NormFloat64,
		"laplace": func() float64 { return rng.ExpFloat64() - rng.ExpFloat64() },
		"cauchy":  func() float64 { return rng.NormFloat64() / rng.NormFloat64() },
	} {
		for _, n := range []int{6, 10, 20, 60} {
			low, high := 0, 0
			for range experiments {
				d := make([]float64, n)
				for i := range d {
					d[i] = 0.3 + draw()
				}
				i := signedRankInterval(d, 0.025)
				if i.Lo > 0.3 {
					low++
				}
				if i.Hi < 0.3 {
					high++
				}
			}
			// 2.5 % of 6000 is 150, its standard deviation 12; the level attained at n=6 is 1.6 %.
			for _, k := range []int{low, high} {
				require.Less(t, k, 190, "%s n=%d", name, n)
				require.Greater(t, k, 60, "%s n=%d", name, n)
			}
		}
	}
}

// TestIntervalAgreesWithTest checks the duality that the decision rests on.
func TestIntervalAgreesWithTest(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 3))
	for range 300 {
		d := make([]float64, 6+rng.IntN(20))
		for i := range d {
			d[i] = rng.NormFloat64() + 0.5
		}
		i := signedRankInterval(d, 0.03)
		require.Equal(t, i.Lo > 0, SignedRankTest(d, 0).Greater <= 0.03, "%v", d)
		require.Equal(t, i.Hi < 0.7, SignedRankTest(d, 0.7).Less <= 0.03, "%v", d)
	}
	require.True(t, math.IsInf(signedRankInterval([]float64{1, 2, 3, 4, 5}, 0.025).Lo, -1),
		"5 pairs bound nothing at 0.025")
}
