package stats

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSignFlipTest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		d    []int64
		want float64
	}{
		{"nothing", nil, 1},
		{"zeros", []int64{0, 0, 0}, 1},
		{"one", []int64{7}, 1. / 2},
		{"four, whatever their size", []int64{300, 1, 300, 2, 0, 0}, 1. / 16},
		{"all the other way", []int64{-1, -5}, 1},
		{"as far up as down", []int64{5, -5}, 3. / 4},
		{"one large against three small", []int64{10, -1, -1, -1}, 1. / 2},
		{"three small against one large", []int64{-10, 1, 1, 1}, 9. / 16},
		{"sums tie", []int64{3, -2, -1}, 5. / 8}, // {3}, {3,2}, {3,1}, {3,2,1}, {2,1}
	} {
		require.InDelta(t, c.want, SignFlipTest(c.d), 1e-12, c.name)
	}
	require.Equal(t, 1., SignFlipTest(make([]int64, 5000)))
	many := make([]int64, 2000)
	for i := range many {
		many[i] = 1
	}
	require.Equal(t, 1., SignFlipTest(many), "more than can be counted prove nothing")
}

// TestSignFlipTestEnumerates holds it against all sign patterns written out, also where it counts
// in larger units: then it may be too large only.
func TestSignFlipTestEnumerates(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(12, 12))
	for range 200 {
		n, most := 1+rng.IntN(10), []int64{3, 100, 1 << 40}[rng.IntN(3)]
		d := make([]int64, n)
		observed := int64(0)
		for i := range d {
			d[i] = rng.Int64N(2*most+1) - most
			observed += d[i]
		}
		extreme := 0
		for pattern := range 1 << n {
			sum := int64(0)
			for i, v := range d {
				if pattern>>i&1 == 1 {
					v = -v
				}
				sum += v
			}
			if sum >= observed {
				extreme++
			}
		}
		want, got := float64(extreme)/float64(int(1)<<n), SignFlipTest(d)
		if most < 1<<20 {
			require.InDelta(t, want, got, 1e-12, "%v", d)
			continue
		}
		require.GreaterOrEqual(t, got, want-1e-12, "%v", d)
		require.LessOrEqual(t, got, want+0.02, "%v", d)
	}
}
