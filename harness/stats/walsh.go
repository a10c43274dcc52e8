package stats

import (
	"math"
	"slices"
)

// Interval is a range with the confidence it really has, which for a discrete
// statistic is more than was asked for. Lo and Hi are infinite where the data
// cannot give a bound.
type Interval struct{ Lo, Hi, Confidence float64 }

// centre estimates the centre of symmetry of sorted values by Hodges and Lehmann: the median of
// the n(n+1)/2 Walsh averages (d[i]+d[j])/2, i <= j. Source: Hodges and Lehmann, "Estimates of
// Location Based on Rank Tests", Annals of Mathematical Statistics 34 (1963), 598-611.
func centre(sorted []float64) float64 {
	m := pairCount(len(sorted))
	return walsh(sorted, (m+1)/2)/2 + walsh(sorted, m/2+1)/2
}

// interval is the confidence interval for the centre of symmetry of sorted values
// that inverts the signed-rank test: each of its bounds is wrong with a
// probability of at most alpha (so it is two-sided with 1-2·alpha). With c the
// largest value for which P(W <= c) <= alpha, the bounds are the (c+1)st smallest
// and the (c+1)st largest Walsh average (Hollander and Wolfe, Nonparametric
// Statistical Methods, 2nd ed., section 3.3). With too few values there is no
// such c and the interval is infinite: 5 values bound nothing below alpha = 1/32.
// Tied values make it wider than need be, never narrower (Noether, "Wilcoxon
// Confidence Intervals for Location Parameters in the Discrete Case", JASA 62
// (1967), 184-188).
func interval(sorted []float64, alpha float64) Interval {
	n := len(sorted)
	c, p := criticalRank(n, alpha)
	if c < 0 {
		return Interval{math.Inf(-1), math.Inf(1), 1}
	}
	return Interval{walsh(sorted, c+1), walsh(sorted, pairCount(n)-c), 1 - 2*p}
}

func pairCount(n int) int { return n * (n + 1) / 2 }

// walsh returns the k-th smallest Walsh average of the sorted s, counted from 1.
// It bisects the floating-point numbers themselves and counts averages on the
// way, until few enough are left to be sorted. So it is exact and never holds many.
func walsh(s []float64, k int) float64 {
	lo, hi := order(s[0]), order(s[len(s)-1])
	below, within := 0, pairCount(len(s)) // averages under lo, and from lo to hi
	for step := 0; lo < hi && within > len(s)/8+64; step++ {
		mid := order(value(lo)/2 + value(hi)/2) // in the middle of the values, which is quick where they are spread evenly
		if step > 40 || mid < lo || mid >= hi {
			mid = lo + int64(uint64(hi-lo)/2) // in the middle of the numbers between, which always ends
		}
		if n := countWalsh(s, value(mid)) - below; below+n >= k {
			hi, within = mid, n
		} else {
			lo, below, within = mid+1, below+n, within-n
		}
	}
	if lo == hi {
		return value(lo)
	}
	left := collectWalsh(s, value(lo), value(hi), within)
	slices.Sort(left)
	return left[k-below-1]
}

// countWalsh counts the Walsh averages of the sorted s that are at most t.
func countWalsh(s []float64, t float64) int {
	count, j := 0, len(s)-1
	for i := range s {
		for j >= i && s[i]/2+s[j]/2 > t {
			j--
		}
		if j < i {
			break
		}
		count += j - i + 1
	}
	return count
}

// collectWalsh returns the n Walsh averages of the sorted s from lo to hi.
func collectWalsh(s []float64, lo, hi float64, n int) []float64 {
	found, top := make([]float64, 0, n), len(s)-1
	for i := range s {
		for top >= i && s[i]/2+s[top]/2 > hi {
			top--
		}
		for j := top; j >= i; j-- {
			average := s[i]/2 + s[j]/2
			if average < lo {
				break
			}
			found = append(found, average)
		}
	}
	return found
}

// order maps floats to integers that sort the same way (IEEE 754's own layout,
// with the negative half turned round); value is its inverse. NaN is not theirs.
func order(f float64) int64 {
	bits := int64(math.Float64bits(f))
	if bits < 0 {
		return math.MinInt64 - bits
	}
	return bits
}

func value(o int64) float64 {
	if o < 0 {
		o = math.MinInt64 - o
	}
	return math.Float64frombits(uint64(o))
}
