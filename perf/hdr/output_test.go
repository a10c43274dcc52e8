package hdr

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"
	"go.k6.io/k6/v2/lib"
	"go.k6.io/k6/v2/lib/executor"
	"go.k6.io/k6/v2/metrics"
	"go.k6.io/k6/v2/output"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/perf/fetch"
	"gitlab.com/steamer/steamer/perf/openbao"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// at is a second of the test's own clock.
func at(second float64) time.Time {
	return time.Unix(1_800_000_000, 0).Add(time.Duration(second * float64(time.Second)))
}

type fixture struct {
	*Output
	path     string
	registry *metrics.Registry
	builtin  *metrics.BuiltinMetrics
}

func start(t *testing.T) fixture {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log.ndjson")
	measure := executor.NewConstantArrivalRateConfig("main")
	measure.Tags = map[string]string{"phase": "measure"}
	out, err := New(output.Params{
		ConfigArgument: path,
		ScriptOptions:  lib.Options{Scenarios: lib.ScenarioConfigs{"main": measure}},
	})
	require.NoError(t, err)
	o, ok := out.(*Output)
	require.True(t, ok)
	o.now = func() time.Time { return at(0) } // the flusher finds nothing due; the tests flush themselves
	require.NoError(t, o.Start())
	registry := metrics.NewRegistry()
	return fixture{Output: o, path: path, registry: registry, builtin: metrics.RegisterBuiltinMetrics(registry)}
}

// fetch adds a fetch that ended at the given second, with a latency from the intended start unless
// that is negative.
func (f fixture) fetch(phase string, end float64, r fetch.Result, intended time.Duration) {
	r.Start = at(end).Add(-r.Duration)
	o := &openbao.Observation{Result: r, Tags: f.registry.RootTagSet().With("phase", phase)}
	if intended >= 0 {
		o.Arrival = arrival(at(end).Add(-intended), 0)
	}
	f.AddMetricSamples([]metrics.SampleContainer{o})
}

// scheduled is an iteration of a scenario that began at start, at 10/s.
type scheduled struct {
	start  time.Time
	number uint64
}

func arrival(start time.Time, number uint64) scheduled { return scheduled{start, number} }

func (s scheduled) Due(drops uint64) (time.Time, bool) {
	return s.start.Add(time.Duration(s.number+drops) * time.Second / 10), true
}

// sample adds one of k6's own samples.
func (f fixture) sample(m *metrics.Metric, second, value float64, tags map[string]string) {
	f.AddMetricSamples([]metrics.SampleContainer{metrics.Sample{
		TimeSeries: metrics.TimeSeries{Metric: m, Tags: f.registry.RootTagSet().WithTagsFromMap(tags)},
		Time:       at(second), Value: value,
	}})
}

func (f fixture) lines(t *testing.T) (intervals []intervalLine, last summaryLine) {
	t.Helper()
	data, err := os.ReadFile(f.path)
	require.NoError(t, err)
	for i, text := range bytes.Split(bytes.TrimSpace(data), []byte{'\n'}) {
		var kind struct{ Kind string }
		require.NoError(t, json.Unmarshal(text, &kind))
		switch {
		case i == 0:
			var h headerLine
			require.NoError(t, json.Unmarshal(text, &h))
			require.Equal(t, "header", h.Kind)
			require.Equal(t, "us", h.Unit)
			require.True(t, at(0).Equal(h.Start))
		case kind.Kind == "interval":
			var l intervalLine
			require.NoError(t, json.Unmarshal(text, &l))
			intervals = append(intervals, l)
		default:
			require.Equal(t, "summary", kind.Kind)
			require.NoError(t, json.Unmarshal(text, &last))
		}
	}
	return intervals, last
}

func histogram(t *testing.T, encoded string) *hdrhistogram.Histogram {
	t.Helper()
	h, err := hdrhistogram.Decode([]byte(encoded))
	require.NoError(t, err)
	return h
}

func TestIntervals(t *testing.T) {
	t.Parallel()
	o := start(t)
	ms := func(n int) fetch.Result {
		return fetch.Result{Status: 200, Duration: time.Duration(n) * time.Millisecond}
	}
	o.fetch("warmup", 10.1, ms(1), 2*time.Millisecond)
	o.fetch("measure", 10.9, ms(3), -1)
	o.fetch("measure", 12.5, ms(5), 5*time.Millisecond)
	o.fetch("measure", 10.95, ms(4), 9*time.Millisecond) // behind the others, yet within its second
	o.fetch("measure", 10.96, fetch.Result{Status: 403, Outcome: fetch.Failed, Class: "status", Duration: 1}, 0)
	o.fetch("measure", 10.97, fetch.Result{Status: 200, Outcome: fetch.Wrong, Class: "value", Duration: 1}, 0)
	o.fetch("measure", 10.98, fetch.Result{Outcome: fetch.Failed, Class: "timeout", Duration: time.Hour},
		time.Hour)
	o.fetch("measure", 10.99, fetch.Result{Outcome: fetch.Interrupted, CutOff: "body", Duration: time.Second}, time.Second)
	o.sample(o.builtin.DroppedIterations, 12.1, 1, map[string]string{"scenario": "main"})
	o.sample(o.builtin.DroppedIterations, 12.2, 1, map[string]string{"scenario": "main"})
	o.sample(o.builtin.VUs, 12.3, 7, nil)
	o.sample(o.builtin.VUsMax, 12.3, 20, nil)
	o.sample(o.builtin.VUsMax, 12.4, 19, nil)
	o.sample(o.builtin.IterationDuration, 12.4, 19, nil) // not ours to count
	require.NoError(t, o.Stop())

	lines, last := o.lines(t)
	require.Len(t, lines, 3)
	start := at(10).UnixMilli()
	for i, want := range []struct {
		phase string
		start int64
		count map[string]int64
	}{
		{"warmup", start, map[string]int64{
			"fetches": 1, "failed": 0, "wrong": 0, "dropped": 0, "attempts": 0,
			"attempts_failed": 0, "status_200": 1,
		}},
		{"measure", start, map[string]int64{
			"fetches": 5, "failed": 2, "wrong": 1, "dropped": 0, "attempts": 0, "attempts_failed": 0, "interrupted": 1,
			"interrupted_body": 1, "interrupted_ms": 1000,
			"clamped":    2,
			"status_200": 3, "status_403": 1, "status_0": 1, "error_status": 1, "error_value": 1, "error_timeout": 1,
		}},
		{"measure", start + 2000, map[string]int64{
			"fetches": 1, "failed": 0, "wrong": 0, "dropped": 2, "attempts": 0,
			"attempts_failed": 0, "status_200": 1,
		}},
	} {
		require.Equal(t, want.phase, lines[i].Phase)
		require.Equal(t, want.start, lines[i].StartMs)
		require.Equal(t, want.start+1000, lines[i].EndMs)
		require.Equal(t, want.count, lines[i].Count)
	}
	require.Equal(t, int64(7), lines[2].VUs)
	require.Equal(t, int64(20), last.MaxVUs)
	require.False(t, last.Partial)

	actual, intended := histogram(t, lines[1].Hist["fetch_actual"]), histogram(t, lines[1].Hist["fetch_intended"])
	require.Equal(t, int64(5), actual.TotalCount())
	require.Equal(t, int64(4), intended.TotalCount(), "one fetch had no schedule")
	require.Equal(t, int64(1), actual.Min(), "a nanosecond is recorded as the least, one microsecond")
	require.InEpsilon(t, 3000, actual.ValueAtQuantile(60), 0.001)
	require.InEpsilon(t, highestMicros, actual.Max(), 0.001)
	for name, want := range map[string]int64{"failed_actual": 2, "failed_intended": 2} {
		failed := histogram(t, lines[1].Hist[name])
		require.Equal(t, want, failed.TotalCount(),
			"failed fetches once more, so that a fast one is not taken for a fast fetch")
		require.Equal(t, int64(1), failed.Min())
	}
	require.NotContains(t, lines[2].Hist, "failed_actual")
}

// TestParts checks what is recorded of attempts, steps and kinds.
func TestParts(t *testing.T) {
	t.Parallel()
	o := start(t)
	const ms = time.Millisecond
	add := func(byKind bool, r fetch.Result) {
		r.Start = at(10.5).Add(-r.Duration)
		o.AddMetricSamples([]metrics.SampleContainer{&openbao.Observation{
			Result: r, ByKind: byKind, Tags: o.registry.RootTagSet().With("phase", "measure"),
		}})
	}
	add(false, fetch.Result{
		Kind: "login-read", Status: 200, Duration: 30 * ms, Attempts: 2, HTTP2: 2, Steps: []fetch.StepTime{
			{Step: "connect", Duration: ms},
			{Step: "login", Duration: 20 * ms},
			{Step: "read", Duration: 10 * ms},
		},
	})
	unavailable := fetch.Failure{Status: 503, Class: "status"}
	add(true, fetch.Result{
		Kind: "inline", Status: 200, Duration: 1300 * ms, Attempts: 2, Retries: 1,
		Failures: []fetch.Failure{unavailable},
	})
	add(true, fetch.Result{
		Kind: "create", Status: 0, Duration: 4000 * ms, Attempts: 3, Retries: 2, Outcome: fetch.Failed,
		Class:    "reset",
		Failures: []fetch.Failure{unavailable, unavailable, {Class: "reset"}},
	})
	require.NoError(t, o.Stop())
	lines, _ := o.lines(t)
	require.Len(t, lines, 1)
	require.Equal(t, map[string]int64{
		"fetches": 3, "failed": 1, "wrong": 0, "dropped": 0, "attempts": 7, "attempts_failed": 4, "retried": 2, "rescued": 1,
		"attempt_error_status": 3, "attempt_error_reset": 1, "attempt_status_503": 3, "status_200": 2, "status_0": 1,
		"error_reset": 1, "http2": 2,
	}, lines[0].Count)
	for name, want := range map[string]time.Duration{
		"step_connect": ms, "step_login": 20 * ms, "step_read": 10 * ms, "kind_inline": 1300 * ms, "kind_create": 4000 * ms,
	} {
		h := histogram(t, lines[0].Hist[name])
		require.Equal(t, int64(1), h.TotalCount(), name)
		require.InEpsilon(t, want.Microseconds(), h.Max(), 0.001, name)
	}
	require.Len(t, lines[0].Hist, 7, "and fetch_actual and failed_actual")
}

// TestFlush checks that intervals are written while the run goes on, and that a sample for a
// second already written is not lost.
func TestFlush(t *testing.T) {
	t.Parallel()
	o := start(t)
	ok := fetch.Result{Status: 200, Duration: time.Millisecond}
	o.fetch("measure", 10.5, ok, 0)
	o.fetch("measure", 11.5, ok, 0)
	o.flush(at(10).Unix())
	lines, last := o.lines(t)
	require.Len(t, lines, 1)
	require.Zero(t, last)

	o.fetch("measure", 9.5, ok, 0) // late
	require.NoError(t, o.StopWithTestError(errors.New("interrupted by a signal")))
	lines, last = o.lines(t)
	require.Len(t, lines, 2)
	require.Equal(t, int64(1), lines[0].Count["fetches"])
	require.Equal(t, int64(2), lines[1].Count["fetches"])
	require.Positive(t, last.CPUSeconds)
	require.Greater(t, last.MaxRSSMiB, 1.0)
	require.Positive(t, last.CPUs)
	require.Equal(t, summaryLine{
		V: 1, Kind: "summary", K6: last.K6, Partial: true, Reason: "interrupted by a signal",
		usage: last.usage,
	}, last)
}

// TestMerge checks what the output is for: histograms of two processes add up to that of one,
// exactly.
func TestMerge(t *testing.T) {
	t.Parallel()
	one, a, b := start(t), start(t), start(t)
	for i := range 5000 {
		r := fetch.Result{Status: 200, Duration: time.Duration(i*i) * time.Microsecond}
		one.fetch("measure", 10.5, r, r.Duration)
		if i%3 == 0 {
			a.fetch("measure", 10.5, r, r.Duration)
		} else {
			b.fetch("measure", 10.5, r, r.Duration)
		}
	}
	var h []*hdrhistogram.Histogram
	for _, o := range []fixture{one, a, b} {
		require.NoError(t, o.Stop())
		lines, _ := o.lines(t)
		h = append(h, histogram(t, lines[0].Hist["fetch_intended"]))
	}
	require.Zero(t, h[1].Merge(h[2]))
	require.Equal(t, h[0].Distribution(), h[1].Distribution())
}

// TestBoundedMemory runs five minutes through the output and checks what it keeps.
func TestBoundedMemory(t *testing.T) {
	t.Parallel()
	o := start(t)
	for second := range 300 {
		for i := range 5 {
			o.fetch("measure", float64(second)+float64(i)/10, fetch.Result{Status: 200, Duration: time.Millisecond}, 0)
		}
		o.flush(at(float64(second) - 2).Unix())
		require.LessOrEqual(t, len(o.open)+len(o.spare), 4)
	}
	require.NotEmpty(t, o.spare, "intervals are used again")
	require.NoError(t, o.Stop())
	lines, _ := o.lines(t)
	require.Len(t, lines, 300)
}

type fullDisk struct{ room int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.room -= len(p); d.room < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(p), nil
}

func (d *fullDisk) Close() error { return nil }

// TestDiskFull checks that a run whose measurement is lost is stopped, once.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	o := start(t)
	require.NoError(t, o.file.Close())
	o.file = &fullDisk{room: 10}
	var aborts []error
	o.SetTestRunStopCallback(func(err error) { aborts = append(aborts, err) })
	for second := range 3 {
		o.fetch("measure", float64(second), fetch.Result{Status: 200, Duration: 1}, 0)
		o.flush(at(float64(second)).Unix())
	}
	require.Len(t, aborts, 1)
	require.ErrorContains(t, aborts[0], "no space left")
	require.ErrorContains(t, o.Stop(), "no space left")
}

func BenchmarkInterval(b *testing.B) {
	iv := newInterval()
	iv.reset(key{second: 1, phase: "measure"})
	for i := range 200 {
		r := fetch.Result{Status: 200, Duration: time.Duration(i) * 300 * time.Microsecond}
		iv.add(&openbao.Observation{Result: r, Arrival: arrival(time.Time{}.Add(-r.Duration), 0)}, 0)
	}
	for b.Loop() {
		if _, err := iv.line(1); err != nil {
			b.Fatal(err)
		}
	}
}

func TestBadPath(t *testing.T) {
	t.Parallel()
	_, err := New(output.Params{})
	require.ErrorContains(t, err, "--out hdr=<path>")
	o, err := New(output.Params{ConfigArgument: filepath.Join(t.TempDir(), "missing", "log")})
	require.NoError(t, err)
	require.ErrorIs(t, o.Start(), os.ErrNotExist)
}
