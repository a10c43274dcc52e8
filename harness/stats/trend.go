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

// TrendOf is the Mann-Kendall test with the Theil-Sen slope. It asks how many of all pairs of values rise, so that a few extreme ones move
// neither. Values that depend on their neighbours make P too small: give it values far enough apart, and ask for a slope that matters as well.
// A series of fewer than three values has P 1.
// Sources: Mann, "Nonparametric Tests Against Trend", Econometrica 13 (1945), 245-259; Kendall, "Rank Correlation Methods", 4th ed. (1970),
// for the exact distribution without ties and the variance with them; Sen, "Estimates of the Regression Coefficient Based on Kendall's
// Tau", JASA 63 (1968), 1379-1389.
func TrendOf(x []float64) Trend {
	n := len(x)
	if n < 3 {
		return Trend{P: 1}
	}
	var slopes []float64
	s, ties := 0, false
	for i := range x {
		for j := i + 1; j < n; j++ {
			slopes = append(slopes, (x[j]-x[i])/float64(j-i))
			switch {
			case x[j] > x[i]:
				s++
			case x[j] < x[i]:
				s--
			default:
				ties = true
			}
		}
	}
	t := Trend{Slope: Median(slopes)}
	if ties || n > maxExactTrend {
		t.P = approximateKendall(x, s)
	} else {
		t.P = exactKendall(n, s)
	}
	return t
}

// maxExactTrend is up to how many values the exact distribution is used; beyond, the normal one differs in the fourth digit.
const maxExactTrend = 50

// exactKendall is the two-sided probability of |S| or more by the number of permutations of n values with each number of inversions.
func exactKendall(n, s int) float64 {
	pairs := n * (n - 1) / 2
	p := []float64{1} // probability of i inversions among the first values
	for m := 2; m <= n; m++ {
		next := make([]float64, m*(m-1)/2+1)
		for i, v := range p {
			for k := range m { // the m-th value is put before k others
				next[i+k] += v / float64(m)
			}
		}
		p = next
	}
	if s < 0 {
		s = -s
	}
	tail := 0.0
	for inversions := 0; inversions <= (pairs-s)/2; inversions++ { // S is pairs less twice the inversions
		tail += p[inversions]
	}
	return min(1, 2*tail)
}

// approximateKendall is the normal approximation, corrected for ties and continuity.
func approximateKendall(x []float64, s int) float64 {
	n := float64(len(x))
	variance := n * (n - 1) * (2*n + 5)
	sorted := slices.Sorted(slices.Values(x))
	for i := 0; i < len(sorted); {
		j := i
		for j < len(sorted) && sorted[j] == sorted[i] {
			j++
		}
		t := float64(j - i)
		variance -= t * (t - 1) * (2*t + 5)
		i = j
	}
	if variance <= 0 || s == 0 {
		return 1
	}
	z := (math.Abs(float64(s)) - 1) / math.Sqrt(variance/18)
	return min(1, math.Erfc(z/math.Sqrt2))
}
