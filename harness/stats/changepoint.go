package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// ChangePoint is a place at which a series becomes another one.
type ChangePoint struct {
	Index  int     `json:"index"`  // of the first value after the change
	Before float64 `json:"before"` // medians of the stretches on both sides, up to the next change
	After  float64 `json:"after"`
	P      float64 `json:"p"` // of so large a change at any place of the stretch, were there none
}

// Changes says how to search for change points. The zero value is DefaultChanges.
type Changes struct {
	MaxP     float64 // a change point's largest p-value
	Shortest int     // length of the shortest stretch, 2 or more
	Seed     uint64  // of the permutations
}

// DefaultChanges asks for p <= 0.001, as Otava does, and for three runs on either
// side: one odd night is not a change.
func DefaultChanges() Changes { return Changes{MaxP: 0.001, Shortest: 3, Seed: 1} }

// maxSeries bounds the quadratic work; 2000 nights are more than five years.
const maxSeries = 2000

// ChangePoints splits x where its distribution changes: E-divisive, the largest
// energy statistic over all places, its significance by permutation, and then the
// same in both parts; as in Hunter, generously at first and strictly among
// neighbours in the end. It assumes no distribution and finds changes of the mean
// and of the spread. Neighbouring values are taken to be independent, as nightly
// runs are but the seconds of one run are not.
//
// Sources: Matteson and James, "A Nonparametric Approach for Multiple Change
// Point Analysis of Multivariate Data", JASA 109 (2014), 334-345; for its use on
// performance results Daly et al., "The Use of Change Point Detection to Identify
// Software Performance Regressions in a Continuous Integration System", ICPE 2020,
// and Fleming et al., "Hunter: Using Change Point Detection to Hunt for
// Performance Regressions", ICPE 2023.
func ChangePoints(x []float64, c Changes) ([]ChangePoint, error) {
	if c == (Changes{}) {
		c = DefaultChanges()
	}
	switch {
	case len(x) > maxSeries:
		return nil, fmt.Errorf("%d values: at most %d are searched", len(x), maxSeries)
	case c.Shortest < 2:
		return nil, fmt.Errorf("stretches of %d values: want 2 or more", c.Shortest)
	case !(c.MaxP > 0 && c.MaxP < 1):
		return nil, fmt.Errorf("p-value %v: want a number between 0 and 1", c.MaxP)
	case slices.ContainsFunc(x, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }):
		return nil, fmt.Errorf("a value is not a finite number")
	}
	rng := rand.New(rand.NewPCG(c.Seed, uint64(len(x))))
	var places []int
	c.split(x, 0, rng, &places)
	slices.Sort(places)
	return c.merge(x, places, rng), nil
}

// weak is how much larger a p-value may be on the way down: a rise that is taken
// back later hardly shows in the whole series, only in its part.
const weak = 10

// split searches for a change in x, which begins at offset of the series, and then in both parts.
func (c Changes) split(x []float64, offset int, rng *rand.Rand, places *[]int) {
	if len(x) < 2*c.Shortest {
		return
	}
	at, most := c.divide(x)
	if c.permute(x, most, min(1, weak*c.MaxP), rng) > weak*c.MaxP {
		return
	}
	*places = append(*places, offset+at)
	c.split(x[:at], offset, rng, places)
	c.split(x[at:], offset+at, rng, places)
}

// merge tests every place again between its neighbours, and drops the least
// significant one until all that are left are significant. A neighbour that is dropped
// makes the stretch a longer one, whose change may be elsewhere: so places move first.
func (c Changes) merge(x []float64, places []int, rng *rand.Rand) []ChangePoint {
	for {
		c.settle(x, places)
		found := make([]ChangePoint, len(places))
		worst := -1
		for i, at := range places {
			from, to := stretch(places, i, len(x))
			found[i] = ChangePoint{
				Index: at, Before: Median(x[from:at]), After: Median(x[at:to]), P: c.permute(x[from:to],
					between(x[from:at], x[at:to]), 1, rng),
			}
			if found[i].P > c.MaxP && (worst < 0 || found[i].P > found[worst].P) {
				worst = i
			}
		}
		if worst < 0 {
			return found
		}
		places = slices.Delete(places, worst, worst+1)
	}
}

// stretch is where the values begin and end that lie between the neighbours of a place.
func stretch(places []int, i, n int) (from, to int) {
	to = n
	if i > 0 {
		from = places[i-1]
	}
	if i+1 < len(places) {
		to = places[i+1]
	}
	return from, to
}

// settle moves every place to the best one between its neighbours, over and over until none moves.
// It gives up where they go round in circles; merge then still tests each place by what lies on
// its own two sides.
func (c Changes) settle(x []float64, places []int) {
	for range maxSettle {
		moved := false
		for i := range places {
			from, to := stretch(places, i, len(x))
			at, _ := c.divide(x[from:to])
			moved = moved || from+at != places[i]
			places[i] = from + at
		}
		if !moved {
			return
		}
	}
}

// maxSettle is how often places are moved; two or three times is what it takes.
const maxSettle = 20

// between is the energy statistic of two parts.
func between(before, after []float64) float64 {
	within := func(x []float64) (sum float64) {
		for i := range x {
			for j := range i {
				sum += math.Abs(x[i] - x[j])
			}
		}
		return sum
	}
	cross := 0.0
	for _, v := range before {
		for _, w := range after {
			cross += math.Abs(v - w)
		}
	}
	return energy(within(before), within(after), cross, float64(len(before)), float64(len(after)))
}

// divide finds the place that maximises the energy statistic, and its value.
func (c Changes) divide(x []float64) (at int, most float64) {
	n := len(x)
	var left, right, cross float64 // sums of distances within and between the parts
	for i := range x {
		for j := i + 1; j < n; j++ {
			right += math.Abs(x[i] - x[j])
		}
	}
	at, most = -1, math.Inf(-1)
	for t := range n - c.Shortest { // x[t] moves to the left part
		var toLeft, toRight float64
		for i, v := range x {
			if i < t {
				toLeft += math.Abs(v - x[t])
			} else {
				toRight += math.Abs(v - x[t])
			}
		}
		left, right, cross = left+toLeft, right-toRight, cross+toRight-toLeft
		if l := t + 1; l >= c.Shortest {
			if q := energy(left, right, cross, float64(l), float64(n-l)); q > most {
				at, most = l, q
			}
		}
	}
	return at, most
}

// energy is the scaled sample divergence of Matteson and James, eq. 5 and 6, with
// exponent 1: l·r/(l+r) times (2·mean distance between the parts, less the mean
// distances within).
func energy(left, right, cross, l, r float64) float64 {
	within := 2*left/(l*(l-1)) + 2*right/(r*(r-1))
	return l * r / (l + r) * (2*cross/(l*r) - within)
}

// permute estimates how often a shuffled x has as large a statistic anywhere. It
// stops as soon as the answer is above limit for certain.
func (c Changes) permute(x []float64, most, limit float64, rng *rand.Rand) float64 {
	permutations := int(math.Ceil(2/c.MaxP)) - 1
	shuffled, larger := slices.Clone(x), 0
	for range permutations {
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if _, q := c.divide(shuffled); q >= most-1e-9*math.Abs(most) {
			larger++
		}
		if p := float64(1+larger) / float64(1+permutations); p > limit {
			return p
		}
	}
	return float64(1+larger) / float64(1+permutations)
}
