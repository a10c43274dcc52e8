package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// nile is the annual flow of the Nile at Aswan from 1871 to 1970 in 10^8 m³, with
// its well-known change in 1898 (Cobb, "The Problem of the Nile: Conditional
// Solution to a Changepoint Problem", Biometrika 65 (1978), 243-251).
var nile = []float64{
	1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960, 1180, 799, 958, 1140, 1100,
	1210, 1150, 1250, 1260,
	1220, 1030, 1100, 774, 840, 874, 694, 940, 833, 701, 916, 692, 1020, 1050, 969, 831, 726, 456, 824, 702, 1120, 1100,
	832, 764, 821, 768, 845,
	864, 862, 698, 845, 744, 796, 1040, 759, 781, 865, 845, 944, 984, 897, 822, 1010, 771, 676, 649, 846, 812, 742, 801,
	1040, 860, 874, 848, 890,
	744, 749, 838, 1050, 918, 986, 797, 923, 975, 815, 1020, 906, 901, 1170, 912, 746, 919, 718, 714, 740,
}

func TestChangePointsOfTheNile(t *testing.T) {
	t.Parallel()
	found, err := ChangePoints(nile, Changes{})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, 1899-1871, found[0].Index, "the first year of the lower flow")
	require.LessOrEqual(t, found[0].P, 0.001)
	require.InDelta(t, 1115, found[0].Before, 15)
	require.InDelta(t, 845, found[0].After, 15)

	again, err := ChangePoints(nile, Changes{})
	require.NoError(t, err)
	require.Equal(t, found, again, "a seed gives one answer")
}

func TestChangePoints(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(10, 10))
	series := func(levels ...float64) (x []float64) {
		for _, l := range levels {
			for range 20 {
				x = append(x, l*(1+0.05*rng.NormFloat64()))
			}
		}
		return x
	}
	for _, c := range []struct {
		name   string
		levels []float64
		at     []int
	}{
		{"none", []float64{10, 10, 10}, nil},
		{"one, 20 %", []float64{10, 10, 12}, []int{40}},
		{"up and down", []float64{10, 12, 10, 10}, []int{20, 40}},
		{"stairs", []float64{10, 11.5, 13, 15}, []int{20, 40, 60}},
	} {
		found, err := ChangePoints(series(c.levels...), Changes{})
		require.NoError(t, err)
		require.Len(t, found, len(c.at), "%s: %+v", c.name, found)
		for i, p := range found {
			require.InDelta(t, c.at[i], p.Index, 1, c.name)
			require.InEpsilon(t, c.levels[c.at[i]/20-1], p.Before, 0.05)
			require.InEpsilon(t, c.levels[c.at[i]/20], p.After, 0.05)
		}
	}
	x := series(10, 10)
	x[25] = 100
	found, err := ChangePoints(x, Changes{})
	require.NoError(t, err)
	require.Empty(t, found, "one odd night is not a change")

	for _, bad := range []error{
		second(ChangePoints(make([]float64, maxSeries+1), Changes{})),
		second(ChangePoints([]float64{1, math.NaN()}, Changes{})),
		second(ChangePoints(nil, Changes{MaxP: 0.01})), second(ChangePoints(nil, Changes{MaxP: 1, Shortest: 2})),
	} {
		require.Error(t, bad)
	}
	found, err = ChangePoints([]float64{1, 2}, Changes{})
	require.NoError(t, err)
	require.Empty(t, found)
}

// TestChangePointsAreWhereTheyWereTested: each is the best place between its neighbours, so that
// its p-value is its own, and nobody else's.
func TestChangePointsAreWhereTheyWereTested(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(14, 14))
	c := Changes{MaxP: 0.05, Shortest: 3, Seed: 1}
	several := 0
	for range 60 {
		var x []float64
		for range 5 { // steps of any size and length, of which some are too small to stay
			level, n := 10+2*rng.NormFloat64(), 4+rng.IntN(12)
			for range n {
				x = append(x, level+rng.NormFloat64())
			}
		}
		found, err := ChangePoints(x, c)
		require.NoError(t, err)
		if len(found) > 1 {
			several++
		}
		for i, p := range found {
			from, to := 0, len(x)
			if i > 0 {
				from = found[i-1].Index
			}
			if i+1 < len(found) {
				to = found[i+1].Index
			}
			at, most := c.divide(x[from:to])
			require.Equal(t, from+at, p.Index, "%v", x)
			require.InEpsilon(t, most, between(x[from:p.Index], x[p.Index:to]), 1e-9)
		}
	}
	require.Greater(t, several, 20, "places have neighbours")
}

// TestChangePointFalseAlarms looks at series without change; 1 % may have one.
func TestChangePointFalseAlarms(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(11, 11))
	const tries = 500
	alarms := 0
	for range tries {
		x := make([]float64, 40)
		for i := range x {
			x[i] = math.Exp(0.2 * rng.NormFloat64()) // skewed, as latencies are
		}
		found, err := ChangePoints(x, Changes{MaxP: 0.01, Shortest: 3, Seed: 1})
		require.NoError(t, err)
		if len(found) > 0 {
			alarms++
		}
	}
	require.LessOrEqual(t, alarms, 12, "5 expected of %d; 12 or fewer in 99.8 %%", tries)
}

func second[T any](_ T, err error) error { return err }
