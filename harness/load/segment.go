package load

import (
	"fmt"
	"strings"
)

// Segment is k6's execution segment of the i-th of n processes, from 0: an equal share of every
// scenario's VUs and arrivals.
func Segment(i, n int) string { return bound(i, n) + ":" + bound(i+1, n) }

// SegmentSequence is the sequence of all n segments, which k6 needs to divide a schedule without
// gaps or overlaps.
func SegmentSequence(n int) string {
	bounds := make([]string, n+1)
	for i := range bounds {
		bounds[i] = bound(i, n)
	}
	return strings.Join(bounds, ",")
}

func bound(i, n int) string {
	switch i {
	case 0:
		return "0"
	case n:
		return "1"
	}
	return fmt.Sprintf("%d/%d", i, n)
}
