package hdr

import (
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"gitlab.com/steamer/steamer/perf/fetch"
	"gitlab.com/steamer/steamer/perf/openbao"
)

// Histograms count microseconds from 1 to ten minutes with three significant digits: every value is known to 0.1 %,
// and histograms of equal range merge exactly. Longer latencies are recorded as ten minutes and counted as clamped.
const (
	lowestMicros  = 1
	highestMicros = int64(10 * time.Minute / time.Microsecond)
	digits        = 3
)

// interval is one second of one phase.
type interval struct {
	key
	actual, intended *hdrhistogram.Histogram
	count            map[string]int64
}

// key identifies an interval: the second it covers, in Unix time, and the phase the samples were tagged with.
type key struct {
	second int64
	phase  string
}

func newInterval() *interval {
	return &interval{
		actual:   hdrhistogram.New(lowestMicros, highestMicros, digits),
		intended: hdrhistogram.New(lowestMicros, highestMicros, digits),
		count:    map[string]int64{},
	}
}

// reset makes the interval ready to be used for another second.
func (iv *interval) reset(k key) {
	iv.key = k
	iv.actual.Reset()
	iv.intended.Reset()
	clear(iv.count)
}

// add takes in one fetch. Latencies of failed fetches count too: a timeout is a latency the job has seen.
func (iv *interval) add(o *openbao.Observation) {
	if o.Result.Outcome == fetch.Interrupted {
		iv.count["interrupted"]++
		return
	}
	iv.count["fetches"]++
	iv.count["status_"+strconv.Itoa(o.Result.Status)]++
	switch o.Result.Outcome {
	case fetch.Failed:
		iv.count["failed"]++
	case fetch.Wrong:
		iv.count["wrong"]++
	}
	if o.Result.Class != "" {
		iv.count["error_"+string(o.Result.Class)]++
	}
	iv.record(iv.actual, o.Result.Duration)
	if o.Intended >= 0 {
		iv.record(iv.intended, o.Intended)
	}
}

func (iv *interval) record(h *hdrhistogram.Histogram, d time.Duration) {
	micros := max(d.Microseconds(), lowestMicros)
	if micros > highestMicros {
		micros = highestMicros
		iv.count["clamped"]++
	}
	// The value is within the histogram's range, the only reason for which RecordValue fails.
	_ = h.RecordValue(micros)
}
