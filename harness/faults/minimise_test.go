package faults

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// numbered are the numbers below n.
func numbered(n int) []int {
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	return items
}

// needs fails where all of the cause are there.
func needs(cause ...int) func([]int) bool {
	return func(part []int) bool {
		for _, item := range cause {
			if !slices.Contains(part, item) {
				return false
			}
		}
		return true
	}
}

func TestMinimise(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		n     int
		fails func([]int) bool
		want  []int
	}{
		"one":      {1, needs(0), []int{0}},
		"first":    {50, needs(0), []int{0}},
		"last":     {50, needs(49), []int{49}},
		"apart":    {50, needs(3, 47), []int{3, 47}},
		"together": {50, needs(24, 25), []int{24, 25}},
		"four":     {33, needs(1, 9, 17, 32), []int{1, 9, 17, 32}},
		"all":      {7, needs(0, 1, 2, 3, 4, 5, 6), numbered(7)},
		"always":   {50, needs(), []int{0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := minimise(numbered(tc.n), func(part []int) (bool, error) { return tc.fails(part), nil })
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

// TestMinimiseIsMinimal: whatever a part that contains a failing one does, it fails; then what is
// left fails, in the old order, and without any single item it does not.
func TestMinimiseIsMinimal(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		items := numbered(1 + rng.IntN(40))
		var causes []func([]int) bool // any of them suffices: monotone, and often with several minima
		for range 1 + rng.IntN(4) {
			var cause []int
			for range 1 + rng.IntN(5) {
				cause = append(cause, rng.IntN(len(items)))
			}
			causes = append(causes, needs(cause...))
		}
		asked := 0
		fails := func(part []int) (bool, error) {
			asked++
			return slices.ContainsFunc(causes, func(f func([]int) bool) bool { return f(part) }), nil
		}
		got, err := minimise(items, fails)
		require.NoError(t, err)
		require.LessOrEqual(t, asked, len(items)*len(items)+8*len(items))
		require.True(t, slices.IsSorted(got))
		failed, _ := fails(got)
		require.True(t, failed)
		for i := range got {
			if len(got) > 1 {
				failed, _ := fails(slices.Delete(slices.Clone(got), i, i+1))
				require.False(t, failed, "%v without %d still fails", got, got[i])
			}
		}
	}
}

// TestMinimiseNoisy: where a failing part fails in half of the tries, and each is tried six times,
// what is left has failed, and is nearly always the cause.
func TestMinimiseNoisy(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	exact := 0
	const runs = 300
	for range runs {
		a, b := rng.IntN(30), rng.IntN(30)
		cause := needs(a, b)
		got, err := minimise(numbered(30), func(part []int) (bool, error) {
			for range 6 {
				if cause(part) && rng.IntN(2) == 0 {
					return true, nil
				}
			}
			return false, nil
		})
		require.NoError(t, err)
		require.True(t, cause(got), "what never failed is never kept")
		if slices.Equal(got, slices.Compact([]int{min(a, b), max(a, b)})) {
			exact++
		}
	}
	require.Greater(t, exact, runs*8/10)
}

// TestMinimiseEnds: an error ends it with the smallest part that has failed.
func TestMinimiseEnds(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	left := 4
	got, err := minimise(numbered(16), func(part []int) (bool, error) {
		if left--; left < 0 {
			return false, enough
		}
		return needs(2)(part), nil
	})
	require.ErrorIs(t, err, enough)
	require.Equal(t, []int{2, 3}, got)
}
