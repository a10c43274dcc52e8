package stats

import (
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Holm adjusts p-values for having been tested together: comparing the adjusted
// ones with alpha, the chance that any of the true hypotheses is rejected is at
// most alpha, however they depend on each other. The result is in the order of p.
// Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure",
// Scandinavian Journal of Statistics 6 (1979), 65-70.
func Holm(p []float64) []float64 {
	byP := make([]int, len(p))
	floats.Argsort(slices.Clone(p), byP)
	adjusted, last := make([]float64, len(p)), 0.0
	for step, i := range byP {
		last = max(last, min(1, p[i]*float64(len(p)-step)))
		adjusted[i] = last
	}
	return adjusted
}
