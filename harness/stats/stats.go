// Package stats holds the statistics by which Steamer compares two systems: the
// signed-rank test and its interval on log-ratios of paired measurements, what
// such a comparison could have detected, interim analyses of growing data, and change points
// in a series of runs. All functions are pure; where chance is needed it comes
// from a seed. docs/method.md says how they are put together.
package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
	"gonum.org/v1/gonum/stat"
)

// LogRatios returns ln(b[i]/a[i]) for each pair. Logarithms make a doubling and a
// halving equally far from no change, and ratios of skewed latencies close to
// symmetric, which the signed-rank test assumes. It refuses slices of different
// length, and values that are not above 0 and finite: their ratio says nothing.
func LogRatios(a, b []float64) ([]float64, error) {
	if len(a) != len(b) {
		return nil, fmt.Errorf("%d values against %d: pairs need as many of each", len(a), len(b))
	}
	d := make([]float64, len(a))
	for i := range a {
		for _, v := range []float64{a[i], b[i]} {
			if !(v > 0) || math.IsInf(v, 1) {
				return nil, fmt.Errorf("pair %d holds the value %v: a ratio needs values above 0", i+1, v)
			}
		}
		d[i] = math.Log(b[i]) - math.Log(a[i])
	}
	return d, nil
}

// SD is the standard deviation of x with n-1 in the denominator; NaN below two values.
func SD(x []float64) float64 {
	if len(x) < 2 {
		return math.NaN()
	}
	return stat.StdDev(x, nil)
}

// Median returns the median of x, NaN when it is empty.
func Median(x []float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(x))
	return s[(len(s)-1)/2]/2 + s[len(s)/2]/2
}

// MedianInterval is the median of x with its order-statistic confidence interval,
// as benchstat computes it (golang.org/x/perf/benchmath). The interval is
// infinite where x holds too few values for the confidence asked for.
func MedianInterval(x []float64, confidence float64) (median float64, i Interval, err error) {
	switch {
	case len(x) == 0:
		return math.NaN(), Interval{}, errors.New("no values")
	case !(confidence > 0 && confidence < 1):
		return math.NaN(), Interval{}, fmt.Errorf("confidence %v: want a number between 0 and 1", confidence)
	}
	if len(x) == 1 {
		return x[0], Interval{math.Inf(-1), math.Inf(1), 1}, nil
	}
	s := benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(x), &benchmath.DefaultThresholds), confidence)
	return s.Center, Interval{s.Lo, s.Hi, s.Confidence}, nil
}
