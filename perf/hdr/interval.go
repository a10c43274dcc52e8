package hdr

import (
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"gitlab.com/steamer/steamer/perf/fetch"
	"gitlab.com/steamer/steamer/perf/openbao"
)

// Histograms count microseconds from 1 to ten minutes with three significant digits: every value
// is known to 0.1 %, and histograms of equal range merge exactly. Longer latencies are recorded as
// ten minutes and counted as clamped.
const (
	lowestMicros  = 1
	highestMicros = int64(10 * time.Minute / time.Microsecond)
	digits        = 3
)

// interval is one second of one phase.
type interval struct {
	key
	actual, intended *hdrhistogram.Histogram
	failed           failures
	steps            map[fetch.Step]*hdrhistogram.Histogram // made when first needed, then kept; the names are few
	kinds            map[string]*hdrhistogram.Histogram     // likewise, by what was done
	count            map[string]int64
}

// failures are the latencies of failed fetches alone: a count of slow fetches must not take a fast
// failure for a fast fetch.
type failures struct{ actual, intended *hdrhistogram.Histogram }

// key identifies an interval: the second it covers, in Unix time, and the phase the samples were
// tagged with.
type key struct {
	second int64
	phase  string
}

func newInterval() *interval {
	return &interval{
		actual: newHistogram(), intended: newHistogram(), failed: failures{newHistogram(), newHistogram()},
		steps: map[fetch.Step]*hdrhistogram.Histogram{}, kinds: map[string]*hdrhistogram.Histogram{},
		count: map[string]int64{},
	}
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(lowestMicros, highestMicros, digits)
}

// named returns the histogram of that name.
func named[K comparable](m map[K]*hdrhistogram.Histogram, name K) *hdrhistogram.Histogram {
	h, ok := m[name]
	if !ok {
		h = newHistogram()
		m[name] = h
	}
	return h
}

// reset makes the interval ready to be used for another second.
func (iv *interval) reset(k key) {
	iv.key = k
	iv.actual.Reset()
	iv.intended.Reset()
	iv.failed.actual.Reset()
	iv.failed.intended.Reset()
	for _, h := range iv.steps {
		h.Reset()
	}
	for _, h := range iv.kinds {
		h.Reset()
	}
	clear(iv.count)
}

// add records one fetch, or operation of Rails, before which so many arrivals were dropped.
// Latencies of failed ones count too: a job waits for a timeout.
func (iv *interval) add(o *openbao.Observation, dropped uint64) {
	r := &o.Result
	if r.Outcome == fetch.Interrupted {
		iv.count["interrupted"]++
		iv.count["interrupted_"+string(r.CutOff)]++
		iv.count["interrupted_ms"] += r.Duration.Milliseconds()
		return
	}
	iv.count["fetches"]++
	iv.count["status_"+strconv.Itoa(r.Status)]++
	switch r.Outcome {
	case fetch.Failed:
		iv.count["failed"]++
	case fetch.Wrong:
		iv.count["wrong"]++
	}
	if r.Class != "" {
		iv.count["error_"+string(r.Class)]++
	}
	iv.attempts(r)
	iv.record(iv.actual, r.Duration)
	intended, scheduled := o.Intended(dropped)
	if scheduled {
		iv.record(iv.intended, intended)
	}
	if r.Outcome == fetch.Failed {
		iv.failed.add(r.Duration, intended, scheduled)
	}
	for _, s := range r.Steps {
		iv.record(named(iv.steps, s.Step), s.Duration)
	}
	if o.ByKind {
		iv.record(named(iv.kinds, r.Kind), r.Duration)
	}
}

// attempts counts requests separately from fetches: with repetitions, a fetch may succeed although
// requests failed.
func (iv *interval) attempts(r *fetch.Result) {
	iv.count["attempts"] += int64(r.Attempts)
	iv.count["attempts_failed"] += int64(len(r.Failures))
	for _, f := range r.Failures {
		iv.count["attempt_error_"+string(f.Class)]++
		if f.Status != 0 {
			iv.count["attempt_status_"+strconv.Itoa(f.Status)]++
		}
	}
	if r.HTTP2 > 0 {
		iv.count["http2"] += int64(r.HTTP2)
	}
	if r.Retries > 0 {
		iv.count["retried"]++
		if r.Outcome != fetch.Failed {
			iv.count["rescued"]++
		}
	}
}

func (iv *interval) record(h *hdrhistogram.Histogram, d time.Duration) {
	if record(h, d) {
		iv.count["clamped"]++
	}
}

// record reports whether the latency was clamped.
func record(h *hdrhistogram.Histogram, d time.Duration) bool {
	micros := max(d.Microseconds(), lowestMicros)
	// The value is within the histogram's range, the only reason for which RecordValue fails.
	_ = h.RecordValue(min(micros, highestMicros))
	return micros > highestMicros
}

// add records one failed fetch. Clamped latencies were counted already.
func (f failures) add(actual, intended time.Duration, scheduled bool) {
	record(f.actual, actual)
	if scheduled {
		record(f.intended, intended)
	}
}
