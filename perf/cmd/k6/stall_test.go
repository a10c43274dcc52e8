package main

import (
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// stallingServer answers at once, except in one period after the first request, in which it
// answers no request. A real OpenBao cannot be stopped so precisely.
func stallingServer(t *testing.T, after, stall time.Duration) *fixture.Fixture {
	t.Helper()
	var once sync.Once
	var first time.Time
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { first = time.Now() })
		if t := time.Since(first); t >= after && t < after+stall {
			timer := time.NewTimer(after + stall - t)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-r.Context().Done():
			}
		}
		_, _ = w.Write([]byte(`{"data":{"data":{"value":"v"}}}`))
	}))
	t.Cleanup(server.Close)
	return &fixture.Fixture{Version: 1, Target: server.URL, Tenants: []fixture.Tenant{{
		Name: "t", SecretPath: "t/kv/data", AuthPath: "t/auth/login", Role: "r", JWT: "a.b.c",
		Secrets: []fixture.Secret{{Name: "S", SHA256: sha256.Sum256([]byte("v"))}},
	}}}
}

// above counts the recorded values over d.
func above(h *hdrhistogram.Histogram, d time.Duration) int64 {
	var n int64
	for _, bar := range h.Distribution() {
		if bar.From > d.Microseconds() {
			n += bar.Count
		}
	}
	return n
}

// TestStall holds the server for a second at 100 fetches/s. Of the 100 fetches due in that second,
// half must show more than half a second, a tenth more than nine tenths: that is what jobs would
// have seen.
func TestStall(t *testing.T) {
	t.Parallel()
	const rate, stall = 100, time.Second
	log := filepath.Join(t.TempDir(), "log")
	fx := stallingServer(t, 1500*time.Millisecond, stall)
	out, err := k6(t, fx, log, "STEAMER_RATE=100", "STEAMER_WARMUP=0s", "STEAMER_DURATION=4s",
		"STEAMER_VUS=150", "STEAMER_MAX_VUS=150").CombinedOutput()
	require.NoError(t, err, "%s", out)
	count, hist := merged(t, readLog(t, log), "measure")
	require.InDelta(t, 4*rate, count["fetches"], 2, "%v", count)
	require.Zero(t, count["dropped"]+count["failed"]+count["interrupted"], "%v", count)
	for _, share := range []float64{0.5, 0.9} {
		limit := time.Duration(share * float64(stall))
		require.InDelta(t, (1-share)*rate, above(hist["fetch_intended"], limit), 0.05*rate, "over %v", limit)
	}
	require.InDelta(t, stall.Microseconds(), hist["fetch_intended"].Max(), 100_000)
}

// TestSlowEnd has the load end while the server stalls: fetches that take as long as a job would
// wait are measured, however long after the end they are answered; others fail by their own
// timeout.
func TestSlowEnd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		stall, slowest  time.Duration
		timeout         string
		failed, fetches int64
	}{
		"answered late": {12 * time.Second, 11 * time.Second, "60s", 0, 10},
		"timed out":     {time.Minute, 900 * time.Millisecond, "1s", 5, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := filepath.Join(t.TempDir(), "log")
			fx := stallingServer(t, time.Second, tc.stall)
			out, err := k6(t, fx, log, "STEAMER_RATE=5", "STEAMER_WARMUP=0s", "STEAMER_DURATION=2s",
				"STEAMER_TIMEOUT="+tc.timeout).CombinedOutput()
			require.NoError(t, err, "%s", out)
			count, hist := merged(t, readLog(t, log), "measure")
			require.Zero(t, count["interrupted"], "%v", count)
			require.InDelta(t, tc.fetches, count["fetches"], 1, "%v", count)
			require.InDelta(t, tc.failed, count["failed"], 1, "%v", count)
			require.Greater(t, hist["fetch_actual"].Max(), tc.slowest.Microseconds())
		})
	}
}

// TestStallWithoutVUs is the same with five VUs: most fetches of that second are dropped. The
// latencies cannot show the stall then, so the drops must. Those of later fetches are not
// lengthened by what was dropped before them.
func TestStallWithoutVUs(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	fx := stallingServer(t, 1500*time.Millisecond, time.Second)
	out, err := k6(t, fx, log, "STEAMER_RATE=100", "STEAMER_WARMUP=0s", "STEAMER_DURATION=4s",
		"STEAMER_VUS=5", "STEAMER_MAX_VUS=5").CombinedOutput()
	require.NoError(t, err, "%s", out)
	count, hist := merged(t, readLog(t, log), "measure")
	require.InDelta(t, 95, count["dropped"], 25, "%v", count)
	require.InDelta(t, 400, count["fetches"]+count["dropped"], 2, "%v", count)
	require.LessOrEqual(t, above(hist["fetch_actual"], 500*time.Millisecond), int64(5))
	require.LessOrEqual(t, above(hist["fetch_intended"], 500*time.Millisecond), int64(5))
}

// TestLateStart has fetches start 50 ms after they were due, in one process and in one of three
// that share the load: the intended latency must be the actual one plus 50 ms. A wrong number of
// the iteration, or a wrong period, would be off by at least 33 ms more with every second.
func TestLateStart(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args    []string
		fetches int
	}{
		"alone":        {nil, 90},
		"one of three": {[]string{"--execution-segment=1/3:2/3", "--execution-segment-sequence=0,1/3,2/3,1"}, 30},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := filepath.Join(t.TempDir(), "log")
			cmd := k6(t, stallingServer(t, time.Hour, 0), log)
			cmd.Args[len(cmd.Args)-1] = "testdata/late.js"
			cmd.Args = append(cmd.Args, tc.args...)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			count, hist := merged(t, readLog(t, log), "measure")
			require.Zero(t, count["dropped"]+count["failed"], "%v", count)
			require.InDelta(t, 2*tc.fetches, count["fetches"], 4)
			require.Equal(t, count["fetches"], 2*hist["fetch_intended"].TotalCount(), "one intended start per iteration")
			late := hist["fetch_intended"].ValueAtQuantile(50) - hist["fetch_actual"].ValueAtQuantile(50)
			require.InDelta(t, 55_000, late, 5_000, "µs between the medians: 50 ms and what starting takes")
		})
	}
}

// TestRampOfK6 is TestLateStart at a rate that moves: 120 fetches in all, 70 + 30 + 20. The
// schedule is a root of k6's own, so the least and the most must be 50 ms too, with what starting
// takes.
func TestRampOfK6(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args    []string
		fetches int
	}{
		"alone":        {nil, 120},
		"one of three": {[]string{"--execution-segment=1/3:2/3", "--execution-segment-sequence=0,1/3,2/3,1"}, 40},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := filepath.Join(t.TempDir(), "log")
			cmd := k6(t, stallingServer(t, time.Hour, 0), log)
			cmd.Args[len(cmd.Args)-1] = "testdata/ramp.js"
			cmd.Args = append(cmd.Args, tc.args...)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			count, hist := merged(t, readLog(t, log), "measure")
			require.Zero(t, count["dropped"]+count["failed"], "%v", count)
			require.InDelta(t, tc.fetches, count["fetches"], 3)
			require.Equal(t, count["fetches"], hist["fetch_intended"].TotalCount())
			require.Greater(t, hist["fetch_intended"].Min(), int64(50_000))
			require.InDelta(t, 55_000, hist["fetch_intended"].ValueAtQuantile(50), 5_000)
		})
	}
}
