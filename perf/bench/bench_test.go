package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestFindHonest searches generators that break at a known rate.
func TestFindHonest(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]honest{
		1000:   {rate: 1000, broken: 1100, cpuShare: 0.5}, // 800 holds, 1600 and 1200 break, 1000 holds, 1100 breaks
		50:     {broken: 100},
		100000: {rate: 3200, cpuShare: 0.5},
	} {
		tried := map[int]int{}
		got, err := findHonest(5000, func(rate int) (trial, error) {
			tried[rate]++
			done := min(rate, limit)
			return trial{scheduled: rate, done: done, cpuShare: 0.5}, nil
		})
		require.NoError(t, err)
		require.Equal(t, want, got, limit)
		require.LessOrEqual(t, tried[want.broken], 2)
	}
}

// TestHonest: a schedule that was not kept, a dropped arrival and a wrong value are all not
// honest.
func TestHonest(t *testing.T) {
	t.Parallel()
	require.True(t, trial{scheduled: 1000, done: 990}.honest())
	require.False(t, trial{scheduled: 1000, done: 989}.honest())
	require.False(t, trial{scheduled: 1000, done: 1000, dropped: 1}.honest())
	require.False(t, trial{scheduled: 1000, done: 1000, failed: 1}.honest())
}

// TestOneBadRun: one bad run at a rate does not end a search.
func TestOneBadRun(t *testing.T) {
	t.Parallel()
	n := 0
	got, err := findHonest(400, func(rate int) (trial, error) {
		n++
		return trial{scheduled: rate, done: rate, dropped: n % 2}, nil
	})
	require.NoError(t, err)
	require.Equal(t, 400, got.rate)
}

func TestWrkRequests(t *testing.T) {
	t.Parallel()
	good := "Running 4s test @ http://x\n  1 threads and 8 connections\n  6500 requests in 4.00s, 3.10MB read\n" +
		"Requests/sec:   1625.0\n"
	n, err := wrkRequests([]byte(good))
	require.NoError(t, err)
	require.Equal(t, 6500, n)
	for _, bad := range []string{"", good + "  Non-2xx or 3xx responses: 3\n", "  Socket errors: connect 0, read 1\n" +
		good} {
		_, err := wrkRequests([]byte(bad))
		require.Error(t, err, bad)
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	got, err := counts([]byte(`{"kind":"header"}` + "\n" + `{"kind":"interval","count":{"fetches":3,"dropped":1}}` + "\n" +
		`{"kind":"interval","count":{"fetches":4}}` + "\n"))
	require.NoError(t, err)
	require.Equal(t, map[string]int{"fetches": 7, "dropped": 1}, got)
	_, err = counts([]byte("{"))
	require.Error(t, err)
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	scripts := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(scripts, "plain.js"), nil, 0o600))
	good := []string{"-k6", filepath.Join(scripts, "plain.js"), "-scripts", scripts}
	for _, bad := range [][]string{
		{},
		{"-k6", "/nowhere"},
		append(good, "-rounds", "1"), append(good, "-fetches", "10"), append(good, "-trial", "1s"),
		append(good, "-rate", "0"), append(good, "-moon"),
	} {
		_, err := parse(bad)
		var input inputError
		require.ErrorAs(t, err, &input, "%v", bad)
	}
}

func TestRatio(t *testing.T) {
	t.Parallel()
	us := func(n int) time.Duration { return time.Duration(n) * time.Microsecond }
	require.Equal(t, "2.00 (1.00 to 3.00)", ratio([]time.Duration{us(10), us(40), us(30)}, []time.Duration{
		us(10), us(20),
		us(10),
	}))
}

// TestPartialReport shows what was measured of a run that was interrupted.
func TestPartialReport(t *testing.T) {
	t.Parallel()
	cost := []time.Duration{100 * time.Microsecond}
	c := comparison{name: "x", series: []series{
		{generator: generator{name: "ours"}, cost: cost, through: []float64{1}}, {generator: generator{name: "plain"}},
	}}
	var out bytes.Buffer
	require.NoError(t, report(&out, []comparison{c}, settings{}))
	require.Contains(t, out.String(), "ours")
	require.NotContains(t, out.String(), "plain |")
}

// TestAtLeast: the plain script of the worst case decides.
func TestAtLeast(t *testing.T) {
	t.Parallel()
	of := func(ours, plain time.Duration) comparison {
		one := []float64{1}
		return comparison{name: "x", series: []series{
			{generator: generator{name: "ours"}, cost: []time.Duration{ours}, through: one},
			{generator: generator{name: plainK6}, cost: []time.Duration{plain}, through: one},
		}}
	}
	all := []comparison{of(100, 200), of(100, 140)}
	require.NoError(t, report(io.Discard, all, settings{atLeast: 1.4}))
	require.ErrorContains(t, report(io.Discard, all, settings{atLeast: 1.5}), "plain k6 costs 1.40 times the extension")
}

// TestInterval checks the ranks against the table of the sign test.
func TestInterval(t *testing.T) {
	t.Parallel()
	for n, rank := range map[int]int{2: 1, 5: 1, 6: 1, 8: 1, 9: 2, 11: 2, 12: 3, 20: 6, 60: 22} {
		values := make([]float64, n)
		for i := range values {
			values[i] = float64(n - i)
		}
		low, high := interval(values)
		require.Equal(t, [2]float64{float64(rank), float64(n + 1 - rank)}, [2]float64{low, high}, "%d values", n)
	}
}
