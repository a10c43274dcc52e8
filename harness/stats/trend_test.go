package stats_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/stats"
)

// TestTrendTables compares with the upper tail probabilities of Kendall's S, Table A.30 of
// Hollander and Wolfe, "Nonparametric Statistical Methods": P(S >= x) is 1/24 for n 4 and S 6,
// 1/120 for n 5 and S 10, 0.0083+0.0333 for S 8, and 1/720 for n 6 and S 15.
func TestTrendTables(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		x    []float64
		want float64
	}{
		"4, S 6":                {[]float64{1, 2, 3, 4}, 2.0 / 24},
		"5, S 10":               {[]float64{1, 2, 3, 4, 5}, 2.0 / 120},
		"5, S 8":                {[]float64{2, 1, 3, 4, 5}, 2 * 5.0 / 120},
		"5, S -8":               {[]float64{5, 4, 3, 1, 2}, 2 * 5.0 / 120},
		"6, S 15":               {[]float64{1, 2, 3, 4, 5, 6}, 2.0 / 720},
		"6, S 13":               {[]float64{2, 1, 3, 4, 5, 6}, 2 * 6.0 / 720},
		"6 in order, one tie":   {[]float64{1, 2, 2, 4, 5, 6}, 2.0 / 360},
		"7 in order, one tie":   {[]float64{1, 2, 2, 4, 5, 6, 7}, 2.0 / 2520},
		"6 down, three equal":   {[]float64{6, 5, 3, 3, 3, 1}, 2.0 / 120},
		"no order":              {[]float64{1, 2, 4, 3, 2.5, 0.5}, 1},
		"too few":               {[]float64{1, 2}, 1},
		"all the same":          {[]float64{3, 3, 3, 3, 3, 3}, 1},
		"an outlier moves none": {[]float64{1, 2, 3, 4, 5, 6e9}, 2.0 / 720},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.InDelta(t, tc.want, stats.TrendOf(tc.x).P, 1e-4)
		})
	}
	require.InDelta(t, 2, stats.TrendOf([]float64{1, 3, 5, 7, 1e9, 11}).Slope, 1e-9, "Theil-Sen")
}

// TestTrendAllOrders: with ties or without, P is the share of all orders of the values whose S is
// as far from 0.
func TestTrendAllOrders(t *testing.T) {
	t.Parallel()
	score := func(x []float64) (s int) {
		for i := range x {
			for j := i + 1; j < len(x); j++ {
				s += cmp.Compare(x[j], x[i])
			}
		}
		return s
	}
	var permute func(x []float64, k int, visit func([]float64))
	permute = func(x []float64, k int, visit func([]float64)) {
		if k == len(x) {
			visit(x)
			return
		}
		for i := k; i < len(x); i++ {
			x[k], x[i] = x[i], x[k]
			permute(x, k+1, visit)
			x[k], x[i] = x[i], x[k]
		}
	}
	rng := rand.New(rand.NewPCG(9, 9))
	for range 60 {
		x := make([]float64, 3+rng.IntN(5))
		for i := range x {
			x[i] = float64(rng.IntN(4))
		}
		far, orders, s := 0, 0, score(x)
		permute(slices.Clone(x), 0, func(y []float64) {
			orders++
			if abs := score(y); max(abs, -abs) >= max(s, -s) {
				far++
			}
		})
		require.InDelta(t, float64(far)/float64(orders), stats.TrendOf(x).P, 1e-9, "%v", x)
	}
}

// TestTrendApproximationJoins: with one tie among many values the normal approximation is close to
// the exact distribution without.
func TestTrendApproximationJoins(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	for range 50 {
		x := make([]float64, 40)
		for i := range x {
			x[i] = 0.03*float64(i) + rng.NormFloat64()
		}
		exact := stats.TrendOf(x).P
		i, j := 0, 1 // the two values of neighbouring rank: making them equal changes S by one
		for k := range x {
			for l := range k {
				if math.Abs(x[k]-x[l]) < math.Abs(x[i]-x[j]) {
					i, j = k, l
				}
			}
		}
		x[i] = x[j]
		require.InDelta(t, exact, stats.TrendOf(x).P, 0.02)
	}
}

// TestTrendLevel: a series without order is taken for one with as often as P says.
func TestTrendLevel(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(8, 8))
	const series, level = 4000, 0.05
	for _, n := range []int{8, 12, 60} {
		alarms := 0
		for range series {
			x := make([]float64, n)
			for i := range x {
				x[i] = math.Exp(rng.NormFloat64())
			}
			if stats.TrendOf(x).P <= level {
				alarms++
			}
		}
		rate := float64(alarms) / series
		require.LessOrEqual(t, rate, level+0.01, "n %d", n)
		require.Greater(t, rate, level/2, "n %d: P takes few values where n is small", n)
	}
}
