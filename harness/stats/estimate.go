package stats

import (
	"math"
	"slices"
)

// Ratio is what pairs of measurements say about B over A.
type Ratio struct {
	Ratio    float64 // exp of the Hodges-Lehmann estimate of the log-ratios; 1.1 means B is 10 % larger
	Interval         // of Ratio; each bound is wrong with a probability of at most the alpha asked for
	SD       float64 // of the log-ratios: the noise of one pair
	MDE      float64 // minimum detectable effect, see DetectableEffect: 0.05 means 5 %
}

// EstimateRatio estimates b over a from pairs, with bounds at one-sided level
// alpha. Its errors are those of LogRatios.
func EstimateRatio(a, b []float64, alpha float64) (Ratio, error) {
	d, err := LogRatios(a, b)
	if err != nil {
		return Ratio{}, err
	}
	return RatioOf(d, alpha), nil
}

// RatioOf is EstimateRatio for log-ratios that are at hand; NaN and infinite where there are too
// few.
func RatioOf(d []float64, alpha float64) Ratio {
	if len(d) == 0 {
		return Ratio{Ratio: math.NaN(), Interval: Interval{0, math.Inf(1), 1}, SD: math.NaN(), MDE: math.Inf(1)}
	}
	sorted := slices.Sorted(slices.Values(d))
	i := interval(sorted, alpha)
	r := Ratio{
		Ratio: math.Exp(centre(sorted)), Interval: Interval{math.Exp(i.Lo), math.Exp(i.Hi), i.Confidence},
		SD:  SD(d),
		MDE: math.Inf(1),
	}
	if len(d) > 1 {
		r.MDE = DetectableEffect(r.SD, len(d), alpha, DefaultPower)
	}
	return r
}
