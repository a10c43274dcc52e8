package upgrade

import "slices"

// Pairs returns an upgrade from each stop to each other one: first those that a test cluster can
// have, in one walk, so that one installation does for all, then those that are predicted only.
func Pairs(stops []Stop) []Edge {
	var fit []Stop
	for _, s := range stops {
		if s.Unfit == "" {
			fit = append(fit, s)
		}
	}
	var edges []Edge
	way := walk(len(fit))
	for i := 1; i < len(way); i++ {
		edges = append(edges, Edge{From: fit[way[i-1]], To: fit[way[i]]})
	}
	for i, from := range stops {
		for j, to := range stops {
			if i != j && (from.Unfit != "" || to.Unfit != "") {
				edges = append(edges, Edge{From: from, To: to})
			}
		}
	}
	return edges
}

// walk returns a walk over n stops that takes each way from one to another exactly once.
func walk(n int) []int {
	if n < 2 {
		return nil
	}
	next := make([]int, n) // the way that is taken next from each stop
	var stack, walk []int
	for stack = []int{0}; len(stack) > 0; {
		at := stack[len(stack)-1]
		if next[at] == at {
			next[at]++
		}
		if next[at] >= n {
			walk, stack = append(walk, at), stack[:len(stack)-1]
			continue
		}
		stack = append(stack, next[at])
		next[at]++
	}
	slices.Reverse(walk)
	return walk
}
