package faults

// minimise returns a part of items, in their order, that still fails, and from which no single
// item can be taken away: ddmin, by Zeller and Hildebrandt. All of items are known to fail, and at
// least one stays. An error of fails ends it, with what was reached until then: any part that it
// returns has failed.
func minimise[T any](items []T, fails func([]T) (bool, error)) ([]T, error) {
	pieces := 2
	for len(items) > 1 {
		smaller, kind, err := reduce(items, pieces, fails)
		if err != nil {
			return items, err
		}
		switch kind {
		case onePiece:
			items, pieces = smaller, 2
		case allButOne:
			items, pieces = smaller, max(pieces-1, 2)
		default:
			if pieces >= len(items) {
				return items, nil
			}
			pieces = min(2*pieces, len(items))
		}
	}
	return items, nil
}

// What reduce found to fail.
const (
	nothing = iota
	onePiece
	allButOne
)

// reduce divides items into pieces and looks for one that fails, and then for one that can be
// taken away.
func reduce[T any](items []T, pieces int, fails func([]T) (bool, error)) ([]T, int, error) {
	for _, kind := range []int{onePiece, allButOne} {
		if kind == allButOne && pieces == 2 {
			continue // each is one piece
		}
		for i := range pieces {
			from, to := i*len(items)/pieces, (i+1)*len(items)/pieces
			part := append([]T{}, items[from:to]...)
			if kind == allButOne {
				part = append(append([]T{}, items[:from]...), items[to:]...)
			}
			failed, err := fails(part)
			if failed || err != nil {
				return part, kind, err
			}
		}
	}
	return nil, nothing, nil
}
