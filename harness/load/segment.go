package load

import "fmt"

// Segment is k6's execution segment of the i-th of n processes, from 0: an equal share of every
// scenario's VUs and arrivals.
func Segment(i, n int) string { return bound(i, n) + ":" + bound(i+1, n) }

func bound(i, n int) string {
	switch i {
	case 0:
		return "0"
	case n:
		return "1"
	}
	return fmt.Sprintf("%d/%d", i, n)
}
