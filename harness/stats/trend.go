package stats

import (
	"math"
	"slices"
)

// Trend says whether a series rises or falls.
type Trend struct {
	Slope float64 // change from one value to the next: the median slope of all pairs
	P     float64 // two-sided probability of so much order in a series without any, 0 to 1
}

// TrendOf is the Mann-Kendall test with the Theil-Sen slope. It asks how many of all pairs of
// values rise, so that a few extreme ones move neither. Values that depend on their neighbours
// make P too small: give it values far enough apart, and ask for a slope that matters as well. A
// series of fewer than three values has P 1. Sources: Mann, "Nonparametric Tests Against Trend",
// Econometrica 13 (1945), 245-259; Kendall, "Rank Correlation Methods", 4th ed. (1970), for the
// exact distribution and the variance with ties; Sen, "Estimates of the Regression Coefficient
// Based on Kendall's Tau", JASA 63 (1968), 1379-1389.
func TrendOf(x []float64) Trend {
	n := len(x)
	if n < 3 {
		return Trend{P: 1}
	}
	var slopes []float64
	s := 0
	for i := range x {
		for j := i + 1; j < n; j++ {
			slopes = append(slopes, (x[j]-x[i])/float64(j-i))
			switch {
			case x[j] > x[i]:
				s++
			case x[j] < x[i]:
				s--
			}
		}
	}
	t := Trend{Slope: Median(slopes)}
	if groups := tied(x); n > maxExactTrend {
		t.P = approximateKendall(n, groups, s)
	} else {
		t.P = exactKendall(groups, s)
	}
	return t
}

// maxExactTrend is up to how many values the exact distribution is used; beyond, the normal one
// differs in the fourth digit.
const maxExactTrend = 50

// tied returns how many values are equal to each other, for each value that there is.
func tied(x []float64) []int {
	var groups []int
	sorted := slices.Sorted(slices.Values(x))
	for i := 0; i < len(sorted); {
		j := i
		for j < len(sorted) && sorted[j] == sorted[i] {
			j++
		}
		groups = append(groups, j-i)
		i = j
	}
	return groups
}

// exactKendall is the two-sided probability of |S| or more among all orders of the values, which
// are equally likely. S is the number of pairs of different values less twice the inversions, and
// the orders of a multiset with each number of inversions are the coefficients of the
// q-multinomial: each group of equal values is put among those before it, in as many ways as there
// are partitions in a box of their numbers (MacMahon, "Combinatory Analysis" I (1915), section 3;
// R. Stanley, "Enumerative Combinatorics" I, 1.7).
func exactKendall(groups []int, s int) float64 {
	p := []float64{1} // share of the orders of the groups so far with i inversions
	before := 0
	for _, size := range groups {
		box := partitions(before, size)
		next := make([]float64, len(p)+len(box)-1)
		for i, v := range p {
			for k, w := range box {
				next[i+k] += v * w
			}
		}
		p, before = next, before+size
	}
	if s < 0 {
		s = -s
	}
	pairs, tail := len(p)-1, 0.0
	for inversions := 0; inversions <= (pairs-s)/2; inversions++ {
		tail += p[inversions]
	}
	return min(1, 2*tail)
}

// partitions is, for each i, the share of the ways to merge a and b things in which i pairs are
// inverted: the partitions of i into at most b parts of at most a each.
func partitions(a, b int) []float64 {
	rows := make([][]float64, a+1) // rows[i] is for i and the things of the second kind so far
	for i := range rows {
		rows[i] = []float64{1}
	}
	for j := 1; j <= b; j++ {
		next := make([][]float64, a+1)
		next[0] = []float64{1}
		for i := 1; i <= a; i++ { // the last one is of the first kind, before which j are inverted, or of the second
			n, first := float64(i+j), float64(i)
			merged := make([]float64, i*j+1)
			for k, v := range next[i-1] {
				merged[k+j] += v * first / n
			}
			for k, v := range rows[i] {
				merged[k] += v * float64(j) / n
			}
			next[i] = merged
		}
		rows = next
	}
	return rows[a]
}

// approximateKendall is the normal approximation, corrected for ties and continuity.
func approximateKendall(count int, groups []int, s int) float64 {
	n := float64(count)
	variance := n * (n - 1) * (2*n + 5)
	for _, size := range groups {
		t := float64(size)
		variance -= t * (t - 1) * (2*t + 5)
	}
	if variance <= 0 || s == 0 {
		return 1
	}
	z := (math.Abs(float64(s)) - 1) / math.Sqrt(variance/18)
	return min(1, math.Erfc(z/math.Sqrt2))
}
