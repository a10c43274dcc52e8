package hdr

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.k6.io/k6/v2/metrics"

	"gitlab.com/steamer/steamer/perf/fetch"
	"gitlab.com/steamer/steamer/perf/openbao"
)

func TestDrops(t *testing.T) {
	t.Parallel()
	var d drops
	d.add(at(1), 1)
	d.add(at(1.0001), 2) // within the same millisecond
	d.add(at(2), 1)
	d.add(at(1.9), 1) // the clock went back
	for second, want := range map[float64]uint64{0.999: 0, 1: 3, 1.5: 3, 1.999: 3, 2: 5, 9: 5} {
		require.Equal(t, want, d.until(at(second)), "%v", second)
	}
	require.Zero(t, (*drops)(nil).until(at(9)))
	var many drops
	for i := range 2*keptDrops + 10 {
		many.add(at(float64(i)/1000), 1)
	}
	require.LessOrEqual(t, len(many.moments), keptDrops)
	require.EqualValues(t, 2*keptDrops, many.until(at(float64(2*keptDrops-1)/1000)))
	require.Equal(t, many.before, many.until(at(0)), "older than what is kept")
	require.Positive(t, many.before)
}

// TestIntendedAfterDrops: at 10/s the arrivals 3 to 5 of a scenario were dropped, so that its
// iteration 3 is arrival 6. What other scenarios drop is nothing to it, nor what is dropped after
// its start.
func TestIntendedAfterDrops(t *testing.T) {
	t.Parallel()
	o := start(t)
	drop := func(scenario string, seconds ...float64) {
		for _, s := range seconds {
			o.sample(o.builtin.DroppedIterations, s, 1, map[string]string{"scenario": scenario})
		}
	}
	drop("main", 10.3, 10.4, 10.5)
	drop("other", 10.3, 10.4)
	drop("main", 10.7)
	fetched := func(number uint64, begin float64) {
		o.AddMetricSamples([]metrics.SampleContainer{&openbao.Observation{
			Result:  fetch.Result{Status: 200, Start: at(begin), Duration: 50 * time.Millisecond},
			Arrival: arrival(at(10), number),
			Tags:    o.registry.RootTagSet().With("phase", "measure").With("scenario", "main"),
		}})
	}
	fetched(2, 10.2)
	fetched(3, 10.6)
	fetched(4, 11.0) // arrival 8, due at 10.8
	require.NoError(t, o.Stop())
	lines, _ := o.lines(t)
	var all []int64
	for _, l := range lines {
		if l.Count["fetches"] > 0 {
			h := histogram(t, l.Hist["fetch_intended"])
			all = append(all, h.Min(), h.Max())
		}
	}
	require.Len(t, all, 4)
	for i, want := range []int64{50_000, 50_000, 250_000, 250_000} {
		require.InEpsilon(t, want, all[i], 0.002)
	}
}
