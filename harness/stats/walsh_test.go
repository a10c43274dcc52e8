package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// hodgesLehmann estimates the centre of symmetry of d.
func hodgesLehmann(d []float64) float64 { return centre(slices.Sorted(slices.Values(d))) }

// signedRankInterval is the confidence interval for the centre of symmetry of d.
func signedRankInterval(d []float64, alpha float64) Interval {
	return interval(slices.Sorted(slices.Values(d)), alpha)
}

// TestWalshOrder compares with all averages written out, ties and infinities included.
func TestWalshOrder(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 4))
	for range 200 {
		s := make([]float64, 1+rng.IntN(40))
		for i := range s {
			switch rng.IntN(4) {
			case 0:
				s[i] = float64(rng.IntN(5) - 2) // ties, zeros, both signs
			case 1:
				s[i] = math.Ldexp(rng.NormFloat64(), rng.IntN(1800)-900)
			default:
				s[i] = rng.NormFloat64()
			}
		}
		slices.Sort(s)
		var all []float64
		for i := range s {
			for j := i; j < len(s); j++ {
				all = append(all, s[i]/2+s[j]/2)
			}
		}
		slices.Sort(all)
		for k, want := range all {
			require.Equal(t, want, walsh(s, k+1), "%v, k=%d", s, k+1)
		}
	}
}

func TestHodgesLehmann(t *testing.T) {
	t.Parallel()
	require.Equal(t, 3.0, hodgesLehmann([]float64{3}))
	require.Equal(t, 2.0, hodgesLehmann([]float64{1, 3})) // of 1, 2, 3
	// Of 1 1 1 1.5 1.5 2 50.5 50.5 51 100, between the fifth and the sixth; and the same turned
	// round.
	require.Equal(t, 1.75, hodgesLehmann([]float64{1, 1, 2, 100}))
	require.Equal(t, -1.75, hodgesLehmann([]float64{-1, -1, -2, -100}))
}

// BenchmarkMillion is the requirement: 10^6 intervals in less than a second.
func BenchmarkMillion(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 5))
	x, y := make([]float64, 1e6), make([]float64, 1e6)
	for i := range x {
		x[i], y[i] = math.Exp(rng.NormFloat64()), math.Exp(0.1+rng.NormFloat64())
	}
	b.Run("estimate", func(b *testing.B) {
		for b.Loop() {
			r, err := EstimateRatio(x, y, 0.025)
			require.NoError(b, err)
			require.InDelta(b, math.Exp(0.1), r.Ratio, 0.01)
		}
	})
	b.Run("noise", func(b *testing.B) {
		for b.Loop() {
			require.Equal(b, Untrusted, NoiseOf(CV(x)))
		}
	})
}
