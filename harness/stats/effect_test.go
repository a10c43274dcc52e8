package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDetectableShift compares k_n with the simulation that came before this code
// (80 % power, two-sided alpha 0.05 and 0.01, 1,500 to 3,000 experiments each).
func TestDetectableShift(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n        int
		k05, k01 float64
	}{{6, 1.80, math.Inf(1)}, {8, 1.24, 1.91}, {10, 1.02, 1.39}, {12, 0.94, 1.21}, {15, 0.81, 1.05}, {20, 0.68, 0.86}} {
		near := func(want, alpha float64) {
			got := DetectableShift(c.n, alpha, DefaultPower)
			if math.IsInf(want, 1) {
				require.True(t, math.IsInf(got, 1), "n=%d alpha=%v", c.n, alpha)
				return
			}
			require.InEpsilon(t, want, got, 0.05, "n=%d alpha=%v", c.n, alpha)
		}
		near(c.k05, 0.025)
		near(c.k01, 0.005)
	}
	require.True(t, math.IsInf(DetectableShift(5, 0.025, DefaultPower), 1))
	require.InEpsilon(t, DetectableShift(50, 0.025, 0.8), DetectableShift(51, 0.025, 0.8), 0.05,
		"simulation and formula join")
}

// TestPower shifts fresh noise by k_n and counts how often the test finds it.
func TestPower(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(6, 6))
	for _, n := range []int{10, 24, 80} {
		const tries = 3000
		shift, found := DetectableShift(n, 0.0125, DefaultPower), 0
		for range tries {
			d := make([]float64, n)
			for i := range d {
				d[i] = rng.NormFloat64() + shift
			}
			if SignedRankTest(d, 0).Greater <= 0.0125 {
				found++
			}
		}
		require.InDelta(t, 0.8, float64(found)/tries, 0.04, "n=%d", n)
	}
}

func TestDetectableEffect(t *testing.T) {
	t.Parallel()
	// peers' example: 5 % of noise, two-sided 0.05, 10 pairs: about 5.2 %, 20 pairs 3.5 %.
	require.InDelta(t, 0.052, DetectableEffect(0.05, 10, 0.025, 0.8), 0.003)
	require.InDelta(t, 0.035, DetectableEffect(0.05, 20, 0.025, 0.8), 0.003)
	require.Zero(t, DetectableEffect(0, 4, 0.001, 0.8))
	require.True(t, math.IsInf(DetectableEffect(0.1, 4, 0.001, 0.8), 1))
}

func TestNoise(t *testing.T) {
	t.Parallel()
	for cv, want := range map[float64]Noise{0: Stable, 0.079: Stable, 0.08: Noisy, 0.15: Noisy, 0.151: Untrusted} {
		require.Equal(t, want, NoiseOf(cv))
	}
	require.Equal(t, Untrusted, NoiseOf(math.NaN()))
	require.InDelta(t, 0.1, CV([]float64{9, 10, 11}), 1e-12)
	require.True(t, math.IsNaN(CV([]float64{1})))
	require.True(t, math.IsNaN(CV([]float64{-1, 1})))
}

func TestLogRatios(t *testing.T) {
	t.Parallel()
	d, err := LogRatios([]float64{2, 10}, []float64{4, 5})
	require.NoError(t, err)
	require.InDeltaSlice(t, []float64{math.Ln2, -math.Ln2}, d, 1e-12)
	_, err = LogRatios([]float64{1}, []float64{1, 2})
	require.ErrorContains(t, err, "1 values against 2")
	for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		_, err = LogRatios([]float64{1, bad}, []float64{1, 1})
		require.ErrorContains(t, err, "pair 2")
		_, err = LogRatios([]float64{1}, []float64{bad})
		require.ErrorContains(t, err, "above 0")
	}
	r, err := EstimateRatio([]float64{1, 1, 1, 1, 1, 1}, []float64{2, 2, 2, 2, 2, 2}, 0.05)
	require.NoError(t, err)
	require.InDelta(t, 2, r.Ratio, 1e-12)
	require.InDelta(t, 2, r.Lo, 1e-12)
	require.Zero(t, r.MDE)
	_, err = EstimateRatio([]float64{0}, []float64{1}, 0.05)
	require.Error(t, err)
	require.True(t, math.IsInf(RatioOf([]float64{1}, 0.05).MDE, 1))
	none := RatioOf(nil, 0.05)
	require.True(t, math.IsNaN(none.Ratio) && none.Lo == 0 && math.IsInf(none.Hi, 1))
}

// TestMedianInterval: ten values give [x(2), x(9)] with 97.85 %, the binomial
// probability 1 - 2·11/1024 (e.g. Conover, Practical Nonparametric Statistics).
func TestMedianInterval(t *testing.T) {
	t.Parallel()
	m, i, err := MedianInterval([]float64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 0.95)
	require.NoError(t, err)
	require.Equal(t, 5.5, m)
	require.Equal(t, 2.0, i.Lo)
	require.Equal(t, 9.0, i.Hi)
	require.InDelta(t, 0.9785, i.Confidence, 1e-4)
	require.Equal(t, 5.5, Median([]float64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}))
	require.True(t, math.IsNaN(Median(nil)))

	_, i, err = MedianInterval([]float64{1, 2, 3}, 0.95)
	require.NoError(t, err)
	require.True(t, math.IsInf(i.Lo, -1) && math.IsInf(i.Hi, 1), "three values are too few: %+v", i)
	_, _, err = MedianInterval(nil, 0.95)
	require.Error(t, err)
	_, _, err = MedianInterval([]float64{1, 2}, 95)
	require.ErrorContains(t, err, "confidence")
}
