package check

import (
	"cmp"
	"slices"
	"sort"
)

// point is a fact with a height that holds from a time on; op is the operation that proves it.
type point struct {
	at, height int64
	op         int32
}

// front answers which of the facts up to a time is the highest, in logarithmic time.
type front struct{ points []point }

// newFront sorts the points, which it keeps.
func newFront(points []point) front {
	slices.SortFunc(points, func(a, b point) int { return cmp.Compare(a.at, b.at) })
	for i := 1; i < len(points); i++ {
		if points[i-1].height >= points[i].height {
			points[i].height, points[i].op = points[i-1].height, points[i-1].op
		}
	}
	return front{points}
}

// before is the highest fact strictly before a time.
func (f front) before(t int64) (point, bool) {
	return f.last(sort.Search(len(f.points), func(i int) bool { return f.points[i].at >= t }))
}

// upTo is the highest fact up to a time.
func (f front) upTo(t int64) (point, bool) {
	return f.last(sort.Search(len(f.points), func(i int) bool { return f.points[i].at > t }))
}

func (f front) last(n int) (point, bool) {
	if n == 0 {
		return point{}, false
	}
	return f.points[n-1], true
}

// floor is the height of the highest fact strictly before a time, or least.
func (f front) floor(t, least int64) int64 {
	if p, some := f.before(t); some && p.height > least {
		return p.height
	}
	return least
}

// ceiling is the lowest height of the facts after a time, of points that were given with negated
// times and heights, or most.
func (f front) ceiling(t, most int64) int64 {
	if p, some := f.before(-t); some && -p.height < most {
		return -p.height
	}
	return most
}

// counted is how many times of a sorted list are not after t.
func counted(times []int64, t int64) int64 {
	return int64(sort.Search(len(times), func(i int) bool { return times[i] > t }))
}
