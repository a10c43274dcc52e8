package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHolm(t *testing.T) {
	t.Parallel()
	// R: p.adjust(c(.01, .04, .03, .005), "holm") is 0.03 0.06 0.06 0.02.
	require.InDeltaSlice(t, []float64{0.03, 0.06, 0.06, 0.02}, Holm([]float64{0.01, 0.04, 0.03, 0.005}), 1e-12)
	require.Equal(t, []float64{1, 1}, Holm([]float64{0.9, 0.8}))
	require.Empty(t, Holm(nil))
}

// TestHolmFamily tests six true hypotheses at once, three of which share their data.
func TestHolmFamily(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	const tries = 4000
	wrong := 0
	for range tries {
		var p []float64
		shared := rng.Float64()
		for i := range 6 {
			if i < 3 {
				p = append(p, shared)
			} else {
				p = append(p, rng.Float64())
			}
		}
		for _, q := range Holm(p) {
			if q <= 0.05 {
				wrong++
				break
			}
		}
	}
	require.Less(t, float64(wrong)/tries, 0.06)
	require.Greater(t, float64(wrong)/tries, 0.02, "and is not far below either")
}

func TestRateBounds(t *testing.T) {
	t.Parallel()
	// Clopper-Pearson at 95 %, two-sided, 1 of 10 and 0 of 10 (R: binom.test).
	require.InDelta(t, 0.4450161, ClopperPearsonUpper(1, 10, 0.025), 1e-6)
	require.InDelta(t, 0.0025286, ClopperPearsonLower(1, 10, 0.025), 1e-6)
	require.InDelta(t, 0.3084971, ClopperPearsonUpper(0, 10, 0.025), 1e-6)
	require.Zero(t, ClopperPearsonLower(0, 10, 0.025))
	require.Equal(t, 1.0, ClopperPearsonUpper(10, 10, 0.025))
	require.InDelta(t, 1-math.Pow(0.05, 1.0/60), ClopperPearsonUpper(0, 60, 0.05), 1e-9)
}

func TestLooks(t *testing.T) {
	t.Parallel()
	l := Interims{Alpha: 0.05, Every: 10, Max: 36}
	require.NoError(t, l.Check())
	spent, seen := 0.0, 0
	for n := 1; n <= l.Max; n++ {
		if l.Due(n) {
			spent += l.Level(seen, n, false)
			seen = n
		}
	}
	require.Equal(t, 36, seen)
	require.InDelta(t, 0.05, spent, 1e-12)
	require.InDelta(t, 0.05-0.05*20/36, l.Level(20, 23, true), 1e-12, "an early end may use what is left")
	require.Zero(t, l.Level(36, 36, true), "an analysis without new pairs has nothing to use")
	for _, bad := range []Interims{{0, 1, 1}, {0.5, 1, 1}, {math.NaN(), 1, 1}, {0.05, 0, 1}, {0.05, 1, 0}} {
		require.Error(t, bad.Check())
	}
}

// TestOptionalStopping stops at the first interim analysis that rejects. Without spending,
// five analyses at 5 % each reject a true hypothesis in about 14 %.
func TestOptionalStopping(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(8, 8))
	l := Interims{Alpha: 0.05, Every: 8, Max: 40}
	const tries = 4000
	for name, draw := range map[string]func() float64{
		"normal": rng.NormFloat64,
		"heavy":  func() float64 { return rng.NormFloat64() / math.Sqrt(rng.ExpFloat64()) },
	} {
		spending, naive := 0, 0
		for range tries {
			var d []float64
			seen, careful, careless := 0, false, false
			for n := 1; n <= l.Max; n++ {
				if d = append(d, draw()); !l.Due(n) {
					continue
				}
				p := SignedRankTest(d, 0).Greater
				careful = careful || p <= l.Level(seen, n, false)
				careless = careless || p <= l.Alpha
				seen = n
			}
			if careful {
				spending++
			}
			if careless {
				naive++
			}
		}
		require.LessOrEqual(t, float64(spending)/tries, 0.05, name)
		require.Greater(t, float64(spending)/tries, 0.02, "%s: and not uselessly strict", name)
		require.Greater(t, float64(naive)/tries, 0.09, "%s: this test can see the fault it guards against", name)
	}
}
