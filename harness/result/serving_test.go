package result_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
)

// TestServing: the pod that led decides, at each time.
func TestServing(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w := result.Window{From: start, To: start.Add(20 * time.Second)}
	// pod is sampled each second from first to last; it is marked as active from and to.
	pod := func(name, role string, first, last, from, to int) result.ResourceSeries {
		s := result.ResourceSeries{Component: "openbao", Name: name, Role: role, Samples: []result.ResourceSample{}}
		for i := first; i <= last; i++ {
			s.Samples = append(s.Samples, result.ResourceSample{
				At: start.Add(time.Duration(i) * time.Second), MemoryMiB: 64,
				Active: i > from && i <= to,
			})
		}
		return s
	}
	takeover := []result.Event{{At: start.Add(10 * time.Second), Kind: "leadership"}}
	for name, tc := range map[string]struct {
		pods   []result.ResourceSeries
		events []result.Event
		want   float64
	}{
		"both": {[]result.ResourceSeries{
			pod("a", "active", 0, 20, 0, 20),
			pod("b", "standby", 0, 20, 0, 0),
		}, nil, 1},
		"the standby is not the one": {[]result.ResourceSeries{
			pod("a", "active", 0, 5, 0, 20),
			pod("b", "standby", 0, 20, 0, 0),
		}, nil, 0.25},
		"the active one was never sampled": {[]result.ResourceSeries{
			pod("a", "active", 0, -1, 0, 0),
			pod("b", "standby", 0, 20, 0, 0),
		}, nil, 0},
		"a takeover": {[]result.ResourceSeries{
			pod("a", "standby", 0, 20, 0, 10),
			pod("b", "active", 0, 20, 12, 20),
		}, takeover, 0.9},
		"the new leader was not watched": {[]result.ResourceSeries{
			pod("a", "standby", 0, 20, 0, 10),
			pod("b", "active", 0, 9, 12, 20),
		}, takeover, 0.5},
		"two at once count once": {[]result.ResourceSeries{
			pod("a", "active", 0, 20, 0, 15),
			pod("b", "active", 0, 20, 10, 20),
		}, takeover, 1},
		"a record that has roles at the end": {[]result.ResourceSeries{
			pod("a", "active", 0, 5, 0, 0),
			pod("b", "standby", 0, 20, 0, 0),
		}, nil, 0.25},
		"such a record and a takeover": {[]result.ResourceSeries{
			pod("a", "active", 0, 20, 0, 0),
			pod("b", "standby", 0, 5, 0, 0),
		}, takeover, 0.25},
		"no roles: each may be the one": {
			[]result.ResourceSeries{pod("a", "", 0, 20, 0, 0), pod("b", "", 0, 5, 0, 0)},
			nil, 0.25,
		},
		"one process":    {[]result.ResourceSeries{pod("a", "", 0, 20, 0, 0)}, nil, 1},
		"nothing":        {nil, nil, 0},
		"only a standby": {[]result.ResourceSeries{pod("b", "standby", 0, 20, 0, 0)}, nil, 0},
	} {
		top := result.Topology{Resources: tc.pods, Events: tc.events}
		require.InDelta(t, tc.want, top.Serving(w), 1e-9, name)
	}
	require.Zero(t, (&result.Topology{}).Serving(result.Window{}))
	restarted := []result.ResourceSeries{pod("a", "", 0, 9, 0, 0), pod("a", "", 9, 20, 0, 0)}
	require.InDelta(t, 1, (&result.Topology{Resources: restarted}).Serving(w), 1e-9,
		"a container that restarted has two series")
	gone := []result.ResourceSeries{pod("a", "", 0, 5, 0, 0)}
	gone[0].Ended = start.Add(5 * time.Second)
	require.InDelta(t, 0.25, (&result.Topology{Resources: gone}).Serving(w), 1e-9, "nobody watched what served after it")
}

// TestAchieved: what is answered when the load is over was not carried.
func TestAchieved(t *testing.T) {
	t.Parallel()
	load := func(perSecond ...int64) *result.Load {
		l := &result.Load{WarmupSeconds: 2, MeasuredSeconds: 10, OfferedRate: 10}
		for i, n := range perSecond {
			phase := "measure"
			if i < 2 {
				phase = "warmup"
			} else {
				l.Fetches += n
			}
			l.Series = append(l.Series, result.Interval{Offset: float64(i), Phase: phase, Fetches: n})
		}
		l.AchievedRate = float64(l.Fetches) / l.MeasuredSeconds
		return l
	}
	for name, tc := range map[string]struct {
		load    *result.Load
		rate    float64
		late    int64
		seconds float64
	}{
		"in time":                {load(10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10), 10, 0, 0},
		"the second that begins": {load(10, 10, 5, 10, 10, 10, 10, 10, 10, 10, 10, 10, 5), 10, 0, 0},
		"drains for three":       {load(10, 10, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 4), 8.8, 12, 2},
		"nothing":                {&result.Load{}, 0, 0, 0},
	} {
		late, seconds := tc.load.Drained()
		require.Equal(t, tc.late, late, name)
		require.InDelta(t, tc.seconds, seconds, 1e-9, name)
		require.InDelta(t, tc.rate, tc.load.Achieved(), 1e-9, name)
	}
	parts := load(10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10)
	late, _ := parts.Drained()
	require.Equal(t, int64(20), late)
	parts.Parts = []result.LoadPart{{}, {LateSeconds: 2}}
	late, _ = parts.Drained()
	require.Zero(t, late, "a process that began later ends later")
	staged := load(10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10)
	staged.Excursion = &result.Excursion{Seconds: 2}
	late, _ = staged.Drained()
	require.Zero(t, late, "an excursion takes its time, too")
}

// TestUnseenDatabase: a database that does not answer its observer either may have stood still.
func TestUnseenDatabase(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	record := func(gapFrom, gapTo, silentFrom, silentTo int, rate float64) *result.Topology {
		top := &result.Topology{Database: &result.DatabaseUse{}, Load: &result.Load{
			Start: start, MeasuredSeconds: 30,
			OfferedRate: rate,
		}}
		for i := range 31 {
			if i <= gapFrom || i >= gapTo {
				top.Database.Samples = append(top.Database.Samples,
					result.DatabaseSample{At: start.Add(time.Duration(i) * time.Second)})
			}
			iv := result.Interval{Offset: float64(i), Phase: "measure", Fetches: 10}
			if i >= silentFrom && i < silentTo {
				iv.Failed = 10
			}
			top.Load.Series = append(top.Load.Series, iv)
		}
		return top
	}
	for name, tc := range map[string]struct {
		top  *result.Topology
		want int
	}{
		"no gap":                         {record(30, 30, 5, 20, 10), 0},
		"gap while fetches succeed":      {record(5, 15, 0, 0, 10), 0},
		"gap while none does":            {record(5, 15, 7, 13, 10), 1},
		"gap to the end":                 {record(20, 99, 22, 30, 10), 1},
		"too short a silence":            {record(5, 15, 7, 9, 10), 0},
		"too few fetches were due":       {record(5, 15, 7, 13, 1), 0},
		"no fetch fails outside the gap": {record(5, 9, 12, 20, 10), 0},
	} {
		got := tc.top.UnseenDatabase()
		require.Len(t, got, tc.want, name)
		for _, e := range got {
			require.Contains(t, e.Detail, result.DatabaseUnseen)
		}
	}
	require.Empty(t, (&result.Topology{}).UnseenDatabase())
}
