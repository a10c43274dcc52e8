package stats

import (
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Holm adjusts p-values for having been tested together: comparing the adjusted
// ones with alpha, the chance that any of the true hypotheses is rejected is at
// most alpha, however they depend on each other. The result is in the order of p.
// Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure",
// Scandinavian Journal of Statistics 6 (1979), 65-70.
func Holm(p []float64) []float64 {
	byP := make([]int, len(p))
	for i := range p {
		byP[i] = i
	}
	slices.SortStableFunc(byP, func(i, j int) int {
		if p[i] < p[j] {
			return -1
		}
		return 1
	})
	adjusted, last := make([]float64, len(p)), 0.0
	for step, i := range byP {
		last = max(last, min(1, p[i]*float64(len(p)-step)))
		adjusted[i] = last
	}
	return adjusted
}

// RateUpperBound is the upper confidence bound of a rate of which k events were
// seen in n tries (Clopper and Pearson, Biometrika 26 (1934), 404-413); the lower
// bound is RateLowerBound. Zero events in 60 tries leave up to 4.9 % at 95 %.
func RateUpperBound(k, n int, confidence float64) float64 {
	if k >= n {
		return 1
	}
	return distuv.Beta{Alpha: float64(k + 1), Beta: float64(n - k)}.Quantile(confidence)
}

// RateLowerBound is the lower counterpart of RateUpperBound.
func RateLowerBound(k, n int, confidence float64) float64 {
	if k <= 0 {
		return 0
	}
	return distuv.Beta{Alpha: float64(k), Beta: float64(n - k + 1)}.Quantile(1 - confidence)
}
