package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// DefaultPower is the chance of detection that a minimum detectable effect promises.
const DefaultPower = 0.8

// experiments per shift; its standard error is about 1.5 %.
const experiments = 4000

// DetectableShift is the smallest shift, in standard deviations of one of n
// differences, that the one-sided signed-rank test at level alpha finds with the
// given power when the noise is normal: k_n. Infinite where n
// values cannot reach alpha.
//
// Up to 50 values it is simulated: in one experiment with noise z the test
// rejects exactly when the shift exceeds minus the (c+1)st smallest Walsh average
// of z, so the power-quantile of those over experiments is the answer. Beyond it
// is (z_alpha + z_power)·sqrt(pi/3n), from the test's efficiency of 3/pi against
// the t-test (Hollander and Wolfe, section 3.11).
func DetectableShift(n int, alpha, power float64) float64 {
	if n > maxExact {
		z := distuv.UnitNormal.Quantile(1-alpha) + distuv.UnitNormal.Quantile(power)
		return z * math.Sqrt(math.Pi/3/float64(n))
	}
	c, _ := criticalRank(n, alpha)
	if c < 0 || n == 0 {
		return math.Inf(1)
	}
	key := shiftKey{n, c, power}
	if known, ok := shifts.Load(key); ok {
		return known.(float64)
	}
	rng := rand.New(rand.NewPCG(1945, uint64(n)))
	noise, needed := make([]float64, n), make([]float64, experiments)
	for e := range needed {
		for i := range noise {
			noise[i] = rng.NormFloat64()
		}
		slices.Sort(noise)
		needed[e] = -walsh(noise, c+1)
	}
	slices.Sort(needed)
	shift := stat.Quantile(power, stat.LinInterp, needed, nil)
	shifts.Store(key, shift)
	return shift
}

// shifts remembers simulated shifts: the same few are asked for again and again.
var shifts sync.Map //nolint:gochecknoglobals // a cache of a pure function

type shiftKey struct {
	n, c  int
	power float64
}

// DetectableEffect is the minimum detectable effect of n pairs whose log-ratios
// have the standard deviation sd: the ratio minus 1 that a test at one-sided
// level alpha finds with the given power, exp(k_n·sd)-1; 0.05 means 5 %.
func DetectableEffect(sd float64, n int, alpha, power float64) float64 {
	if sd == 0 {
		return 0
	}
	return math.Expm1(DetectableShift(n, alpha, power) * sd)
}

// Noise is how far a metric can be trusted, by its coefficient of variation.
type Noise string

// The classes: below 8 % stable, to 15 % noisy, above not to be trusted.
const (
	Stable    Noise = "stable"
	Noisy     Noise = "noisy"
	Untrusted Noise = "do not trust"
)

// CV is the coefficient of variation of x, standard deviation over mean; NaN
// below two values or with a mean of 0.
func CV(x []float64) float64 {
	mean := stat.Mean(x, nil)
	if mean == 0 {
		return math.NaN()
	}
	return SD(x) / math.Abs(mean)
}

// NoiseOf classifies a coefficient of variation; one that is unknown is not trusted.
func NoiseOf(cv float64) Noise {
	switch {
	case cv < 0.08:
		return Stable
	case cv <= 0.15:
		return Noisy
	}
	return Untrusted
}
