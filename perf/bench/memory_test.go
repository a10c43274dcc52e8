package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGrowth(t *testing.T) {
	t.Parallel()
	samples := make([]int64, 300)
	for i := range samples {
		samples[i] = 100 + int64(i/60)*3 // 100, 103, 106, 109, 112
	}
	samples[130] = 900 // one outlier moves no median
	g, known := growthOf(samples, 120)
	require.True(t, known)
	require.Equal(t, growth{first: 106, least: 106, most: 112, last: 112}, g)
	require.InDelta(t, 6.0/106, g.up(), 1e-9)
	require.Zero(t, g.down())
	_, known = growthOf(samples, 200)
	require.False(t, known, "too short to say")
	own, err := residentBytes(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, own, int64(1<<20))
}
