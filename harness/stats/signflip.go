package stats

import (
	"math"
	"slices"
)

// finest is how many units the differences of a SignFlipTest may have together before they are
// counted in larger ones.
const finest = 1 << 20

// SignFlipTest is the one-sided p-value of "each of d is as likely to be above 0 as to be as far
// below it" against "their sum is above 0": the share of all patterns of signs whose sum is as
// large as the observed one (Fisher, The Design of Experiments (1935), section 21). It asks
// nothing of the distribution of d, so that counts may come in bursts of any size: d are
// independent, what is within one of them need not be. Of k differences, all above 0, it is 1/2^k,
// however large they are. Differences of more than 2^20 in sum are rounded so that the p-value is
// too large, never too small. Fewer than 1,024 differences are counted; more are an error of the
// caller and give 1.
func SignFlipTest(d []int64) float64 {
	sizes, up, all := make([]uint64, 0, len(d)), uint64(0), uint64(0)
	for _, v := range d {
		if v == 0 {
			continue
		}
		size := uint64(max(v, -v))
		if sizes, all = append(sizes, size), all+size; v > 0 {
			up += size
		}
	}
	if len(sizes) >= 1024 {
		return 1
	}
	// A random pattern is as extreme where the sizes that it gives a plus add up to what the
	// observed one gave a plus, or more.
	unit := max(1, (all+finest-1)/finest)
	ranks := make([]int, len(sizes))
	for i, size := range sizes {
		ranks[i] = int((size + unit - 1) / unit)
	}
	slices.Sort(ranks) // small ones first leave little to add up
	tail := 0.0
	for sum, n := range signPatterns(ranks) {
		if uint64(sum) >= up/unit {
			tail += n
		}
	}
	return min(1, tail/math.Ldexp(1, len(ranks)))
}
