package stats

import (
	"math"
	"sync"

	"gonum.org/v1/gonum/stat/distuv"
)

// Tally is what one span of time, such as a second, adds to a share: Hits of Of observations. Both
// are 0 or more, Hits at most Of.
type Tally struct{ Hits, Of float64 }

// Levels are the probabilities with which a lower and an upper bound may be wrong, each above 0
// and below 0.5.
type Levels struct{ Lower, Upper float64 }

// Share is what a series of tallies says about the share of hits in the process behind it.
type Share struct {
	Hits, Of     float64
	Share        float64 // Hits/Of, 0 to 1; NaN without observations
	Lower, Upper float64 // one-sided bounds, 0 to 1, each at its own level
	Effective    float64 // how many independent observations would say as much; at most Of
}

// Blocks of which a variance is estimated. With fewer than fullBlocks the estimate has too few
// degrees of freedom to be corrected for them; it then counts as it is, where it is larger than
// those of shorter blocks: that is how long bursts in a short series are seen.
const (
	leastBlocks = 4
	fullBlocks  = 10
)

// ShareOf bounds a share from tallies of equal spans in the order of time.
//
// Hits come in bursts, so that spans are the units and not observations. The variance of the hits
// is that of the ratio estimator between blocks of spans (Cochran, Sampling Techniques, 3rd ed.,
// section 2.11), for blocks of 1, 2, 4, 8, ... spans as long as there are four of them. Its ratio
// to the variance of independent observations is the design effect, at least 1, and the length
// that leaves the fewest effective observations counts. The bounds are those of Clopper and
// Pearson on the effective number; the lower one is also reduced for the degrees of freedom of the
// variance (Korn and Graubard, Survey Methodology 24 (1998), 193-201).
//
// A burst that was not seen has no variance. The upper bound therefore takes one more burst into
// the design effect, of so many observations that are all hits, and is never below what a series
// without any hit gives: NoneBound of Of/burst observations. burst is at least 1, which stands for
// hits that do not depend on each other.
func ShareOf(spans []Tally, burst float64, level Levels) Share {
	var s Share
	for _, t := range spans {
		s.Hits, s.Of = s.Hits+t.Hits, s.Of+t.Of
	}
	if s.Of <= 0 {
		return Share{Share: math.NaN(), Upper: 1}
	}
	s.Share = s.Hits / s.Of
	burst = min(max(burst, 1), s.Of)
	residuals := make([]float64, len(spans))
	for i, t := range spans {
		residuals[i] = t.Hits - s.Share*t.Of
	}
	independent := s.Of * s.Share * (1 - s.Share)
	lower, most := s.Of, independent
	variances := blockVariances(residuals)
	if independent == 0 || len(variances) == 0 { // none or all, or one span: nothing says how they depend on each other
		lower, most, variances = s.Of/burst, independent*burst, nil
	}
	for _, v := range variances {
		most = max(most, v.sum)
		lower = min(lower, s.Of*independent/max(v.sum, independent)*freedom(level.Lower, v.blocks))
	}
	s.Effective = max(1, lower)
	s.Lower = ClopperPearsonLower(s.Share*s.Effective, s.Effective, level.Lower)
	s.Upper = shareUpper(s.Share, s.Of, independent, most, burst, level.Upper)
	return s
}

// shareUpper is the upper bound of a share of n observations, whose hits have the variance most
// where independent ones have the variance independent, with one more burst in both.
func shareUpper(share, n, independent, most, burst, level float64) float64 {
	effective := max(1, n*(independent+burst)/(most+burst*burst))
	return max(ClopperPearsonUpper(share*effective, effective, level), NoneBound(n/burst, level))
}

// SpreadBound is the upper bound that ShareOf gives where hits of n observations are spread as
// independent ones are.
func SpreadBound(hits, n, burst, level float64) float64 {
	share := hits / n
	independent := n * share * (1 - share)
	return shareUpper(share, n, independent, independent, min(max(burst, 1), n), level)
}

// freedom is the share of observations that Korn and Graubard leave of them for a variance between
// so many blocks.
func freedom(level float64, blocks int) float64 {
	if blocks < fullBlocks {
		return 1
	}
	z, t := distuv.UnitNormal.Quantile(1-level), studentT(level, blocks)
	return z * z / (t * t)
}

// NoneBound is the upper bound at a level of a share of which n independent observations show no
// hit: 1 - level^(1/n), about 3/n at 5 %.
func NoneBound(n, level float64) float64 { return -math.Expm1(math.Log(level) / n) }

// NoneNeeds is how many independent observations without a hit bound a share by bound, above 0 and
// below 1: the inverse of NoneBound.
func NoneNeeds(bound, level float64) float64 { return math.Log(level) / math.Log1p(-bound) }

// blockVariance is the variance of a sum, estimated between so many blocks.
type blockVariance struct {
	sum    float64
	blocks int
}

// blockVariances estimates the variance of the sum of a series with mean 0 from blocks of 1, 2, 4,
// ... neighbours; a last block that is not full belongs to the one before it. Of fewer than two
// values there is none.
func blockVariances(x []float64) []blockVariance {
	var out []blockVariance
	for length := 1; len(x) >= 2; length *= 2 {
		blocks := len(x) / length
		if length > 1 && blocks < leastBlocks {
			break
		}
		sum, block := 0.0, 0.0
		for i, v := range x {
			block += v
			if b := (i + 1) / length; (i+1)%length == 0 && b < blocks || i == len(x)-1 {
				sum += block * block
				block = 0
			}
		}
		out = append(out, blockVariance{sum * float64(blocks) / float64(blocks-1), blocks})
	}
	return out
}

// studentT is the quantile 1-level of Student's t for a variance estimated from so many blocks.
func studentT(level float64, blocks int) float64 {
	key := studentKey{level, blocks}
	if known, ok := students.Load(key); ok {
		return known.(float64)
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(blocks - 1)}.Quantile(1 - level)
	students.Store(key, t)
	return t
}

// students remembers quantiles: those of a few lengths of series are asked for again and again.
var students sync.Map //nolint:gochecknoglobals // a cache of a pure function

type studentKey struct {
	level  float64
	blocks int
}

// ClopperPearsonLower is the exact lower bound of a share of which n observations have hits; it is
// too high with a probability of at most level. Neither number has to be whole. Clopper and
// Pearson, Biometrika 26 (1934), 404-413.
func ClopperPearsonLower(hits, n, level float64) float64 {
	if hits <= 0 {
		return 0
	}
	return distuv.Beta{Alpha: hits, Beta: n - hits + 1}.Quantile(level)
}

// ClopperPearsonUpper is the upper one. No hits in 60 leave up to 4.9 % at a level of 5 %.
func ClopperPearsonUpper(hits, n, level float64) float64 {
	if hits >= n {
		return 1
	}
	return distuv.Beta{Alpha: hits + 1, Beta: n - hits}.Quantile(1 - level)
}

// Mean is what a series says about the mean of the process behind it.
type Mean struct {
	Mean, Lower, Upper float64 // in the unit of the values; NaN and infinite without values
}

// Sum is what one span of time adds to a mean: the sum of so many values, each 0 or more.
type Sum struct{ Sum, Of float64 }

// MeanOf bounds a mean of values from 0 to most, the largest that was seen, from sums over equal
// spans in the order of time: the ratio estimator with the variance between blocks, as ShareOf has
// it, and Student's t; the widest counts. Values that are rare and large make such an upper bound
// too small, since they may not have been seen yet. It therefore adds what ShareOf leaves possible
// without any hit, a share of NoneBound(Of/burst) of values like the largest. No bound holds for
// values that nothing limits (Bahadur and Savage, Annals of Mathematical Statistics 27 (1956),
// 1115-1122).
func MeanOf(spans []Sum, burst, most float64, level Levels) Mean {
	sum, n := 0.0, 0.0
	for _, s := range spans {
		sum, n = sum+s.Sum, n+s.Of
	}
	if n <= 0 {
		return Mean{Mean: math.NaN(), Upper: math.Inf(1)}
	}
	m := Mean{Mean: sum / n}
	residuals := make([]float64, len(spans))
	for i, s := range spans {
		residuals[i] = s.Sum - m.Mean*s.Of
	}
	variances := blockVariances(residuals)
	if len(variances) == 0 {
		return Mean{Mean: m.Mean, Upper: math.Inf(1)}
	}
	m.Lower, m.Upper = m.Mean, m.Mean
	for _, v := range variances {
		if v.blocks < fullBlocks && len(variances) > 1 {
			break // Student's t of so few blocks would bound nothing
		}
		se := math.Sqrt(v.sum) / n
		m.Lower = max(0, min(m.Lower, m.Mean-studentT(level.Lower, v.blocks)*se))
		m.Upper = max(m.Upper, m.Mean+studentT(level.Upper, v.blocks)*se)
	}
	m.Upper += NoneBound(n/min(max(burst, 1), n), level.Upper) * max(0, most-m.Mean)
	return m
}
