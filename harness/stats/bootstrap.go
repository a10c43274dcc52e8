package stats

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// BlockBootstrap gives an interval for the mean of a series whose neighbours
// depend on each other, such as the seconds of one run: it draws blocks of
// consecutive values with replacement until the series is as long as before,
// resamples times, and takes the quantiles of the means. It is for showing how a
// run varies within itself; comparing runs needs pairs of them.
// Source: Künsch, "The Jackknife and the Bootstrap for General Stationary
// Observations", Annals of Statistics 17 (1989), 1217-1241.
func BlockBootstrap(x []float64, block, resamples int, confidence float64, seed uint64) (Interval, error) {
	switch {
	case block < 1 || block > len(x):
		return Interval{}, fmt.Errorf("blocks of %d in a series of %d", block, len(x))
	case resamples < 20:
		return Interval{}, fmt.Errorf("%d resamples: want 20 or more", resamples)
	case !(confidence > 0 && confidence < 1):
		return Interval{}, fmt.Errorf("confidence %v: want a number between 0 and 1", confidence)
	}
	sums := make([]float64, len(x)+1) // of the values before i: a block's sum is a difference
	for i, v := range x {
		sums[i+1] = sums[i] + v
	}
	rng := rand.New(rand.NewPCG(seed, uint64(len(x))))
	means := make([]float64, resamples)
	for r := range means {
		total := 0.0
		for left := len(x); left > 0; left -= block {
			n := min(block, left)
			from := rng.IntN(len(x) - n + 1)
			total += sums[from+n] - sums[from]
		}
		means[r] = total / float64(len(x))
	}
	slices.Sort(means)
	tail := (1 - confidence) / 2
	return Interval{
		stat.Quantile(tail, stat.Empirical, means, nil), stat.Quantile(1-tail, stat.Empirical, means, nil), confidence,
	}, nil
}
