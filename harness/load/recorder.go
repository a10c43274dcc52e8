package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"gitlab.com/steamer/steamer/harness/load/hdr"
	"gitlab.com/steamer/steamer/harness/result"
)

// maxLine bounds one line of k6's interval output; a second's two histograms take a few KiB.
const maxLine = 4 << 20

// maxIntervals bounds the series: a day of seconds and some.
const maxIntervals = 100_000

// The phases of a run, as the tag "phase" of k6's scenarios has them.
const (
	warmup    = "warmup"
	measure   = "measure"
	excursion = "excursion"
)

// maxNamed bounds the histograms by name, each of which takes up to 170 KiB; our k6 writes about
// 20.
const maxNamed = 64

// Recorder folds k6's interval output, newline-delimited JSON, into totals as
// it is written to it, in memory that grows only with the number of seconds.
// The zero value is ready. It is not safe for concurrent use.
type Recorder struct {
	// OnInterval is called after each interval, for progress; may be nil.
	OnInterval func(iv result.Interval, vus int64)
	// Thresholds are the latency limits above which every second's fetches are counted.
	Thresholds []result.Threshold

	pending   []byte // an unfinished line
	lines     int
	sawHeader bool
	summary   *line
	measured  tally
	beyond    tally // of excursions
	series    []result.Interval
	start     time.Time // of the first interval
	err       error
}

// tally is what a phase adds up to. The zero tally is ready to use.
type tally struct {
	actual, intended hdr.Sum
	steps, kinds     map[string]*hdr.Sum
	counts           map[string]int64
}

// of returns where a phase is added up; nil for one that is not.
func (r *Recorder) of(phase string) *tally {
	switch phase {
	case measure:
		return &r.measured
	case excursion:
		return &r.beyond
	}
	return nil
}

// sum returns where the histogram of that name belongs; nil for one that is not kept.
func (t *tally) sum(name string) *hdr.Sum {
	switch name {
	case "fetch_actual":
		return &t.actual
	case "fetch_intended":
		return &t.intended
	}
	if step, ok := strings.CutPrefix(name, "step_"); ok {
		return named(&t.steps, step)
	}
	if kind, ok := strings.CutPrefix(name, "kind_"); ok {
		return named(&t.kinds, kind)
	}
	return nil // a workload's own
}

// named returns the sum of that name, nil beyond maxNamed.
func named(m *map[string]*hdr.Sum, name string) *hdr.Sum {
	if *m == nil {
		*m = map[string]*hdr.Sum{}
	}
	if (*m)[name] == nil && len(*m) < maxNamed {
		(*m)[name] = &hdr.Sum{}
	}
	return (*m)[name]
}

// line is any line of the output; which fields are set depends on Kind.
type line struct {
	V       int               `json:"v"`
	Kind    string            `json:"kind"`
	Unit    string            `json:"unit"`
	StartMS int64             `json:"start_ms"`
	EndMS   int64             `json:"end_ms"`
	Phase   string            `json:"phase"`
	Hist    map[string]string `json:"hist"`
	Count   map[string]int64  `json:"count"`
	VUs     int64             `json:"vus"`
	MaxVUs  int64             `json:"max_vus"`
	K6      string            `json:"k6"`
	Partial bool              `json:"partial"`
	Reason  string            `json:"reason"`
}

// check refuses a line that a log cannot have where its header was read, and its end.
func (l *line) check(header, ended bool) error {
	switch {
	case l.V != 1:
		return fmt.Errorf("format version %d, this Steamer reads 1", l.V)
	case (l.Kind == "header") == header:
		return fmt.Errorf("%q where the header, once and first, was expected", l.Kind)
	case ended:
		return fmt.Errorf("%q after the summary", l.Kind)
	case l.Kind == "header" && l.Unit != "us":
		return fmt.Errorf("histograms in %q, want \"us\"", l.Unit)
	case l.Kind != "header" && l.Kind != "interval" && l.Kind != "summary":
		return fmt.Errorf("unknown kind %q", l.Kind)
	}
	return nil
}

// Write takes the next bytes, which may end anywhere. After the first error it
// takes no more.
func (r *Recorder) Write(p []byte) (int, error) {
	rest := p
	for r.err == nil {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		full := rest[:i]
		if len(r.pending) > 0 {
			full = append(r.pending, full...)
			r.pending = r.pending[:0]
		}
		rest = rest[i+1:]
		r.err = r.take(full)
	}
	if r.err == nil && len(r.pending)+len(rest) > maxLine {
		r.err = fmt.Errorf("line %d is longer than %d bytes", r.lines+1, maxLine)
	}
	if r.err != nil {
		return 0, r.err
	}
	r.pending = append(r.pending, rest...)
	return len(p), nil
}

// take folds one whole line.
func (r *Recorder) take(b []byte) error {
	r.lines++
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return fmt.Errorf("line %d is not k6 interval output: %w", r.lines, err)
	}
	if err := r.fold(&l); err != nil {
		return fmt.Errorf("line %d: %w", r.lines, err)
	}
	return nil
}

func (r *Recorder) fold(l *line) error {
	if err := l.check(r.sawHeader, r.summary != nil); err != nil {
		return err
	}
	switch l.Kind {
	case "header":
		r.sawHeader = true
	case "summary":
		r.summary = l
	default:
		return r.interval(l)
	}
	return nil
}

func (r *Recorder) interval(l *line) error {
	if l.Phase != warmup && l.Phase != measure && l.Phase != excursion {
		return fmt.Errorf("unknown phase %q", l.Phase)
	}
	if l.StartMS <= 0 || l.EndMS <= l.StartMS {
		return fmt.Errorf("interval from %d to %d ms", l.StartMS, l.EndMS)
	}
	if len(r.series) >= maxIntervals {
		return fmt.Errorf("more than %d intervals", maxIntervals)
	}
	at := time.UnixMilli(l.StartMS).UTC()
	if r.start.IsZero() {
		r.start = at
	}
	iv := result.Interval{
		Offset: at.Sub(r.start).Seconds(), Phase: l.Phase,
		Fetches: l.Count["fetches"], Failed: l.Count["failed"], Wrong: l.Count["wrong"], Dropped: l.Count["dropped"],
		Attempts: l.Count["attempts"], AttemptsFailed: l.Count["attempts_failed"],
	}
	for name, n := range l.Count {
		if n < 0 {
			return fmt.Errorf("count %q is %d", name, n)
		}
		if t := r.of(l.Phase); t != nil {
			if t.counts == nil {
				t.counts = map[string]int64{}
			}
			t.counts[name] += n
		}
	}
	if err := r.histograms(l, &iv); err != nil {
		return err
	}
	r.series = append(r.series, iv)
	if r.OnInterval != nil {
		r.OnInterval(iv, l.VUs)
	}
	return nil
}

// histograms merges what was measured and fills the interval's latencies and counts.
func (r *Recorder) histograms(l *line, iv *result.Interval) error {
	all := map[string]*hdrhistogram.Histogram{}
	for name, enc := range l.Hist {
		h, err := hdr.Decode(enc)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all[name] = h
		t := r.of(l.Phase)
		if t == nil {
			continue
		}
		if sum := t.sum(name); sum != nil {
			if err := sum.Add(h); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if h := all["fetch_intended"]; h != nil {
		q := func(p float64) float64 { return hdr.Milliseconds(h.ValueAtPercentile(p)) }
		iv.P50, iv.P95, iv.P99, iv.Max, iv.Mean = q(50), q(95), q(99), hdr.Milliseconds(h.Max()), h.Mean()/1000
	}
	if h := all["fetch_actual"]; h != nil {
		iv.ActualMean = h.Mean() / 1000
	}
	iv.Above = r.above(iv, all)
	return nil
}

// above counts the fetches of an interval above each threshold, failed ones in any case; nil where
// the log does not have every fetch's latency, as logs of before December 2026 do not where
// fetches failed.
func (r *Recorder) above(iv *result.Interval, all map[string]*hdrhistogram.Histogram) []int64 {
	limits := make([]float64, len(r.Thresholds))
	for i, th := range r.Thresholds {
		limits[i] = th.Limit
	}
	above := make([]int64, len(limits))
	for _, from := range []string{result.FromIntended, result.FromActual} {
		whole, failed := all["fetch_"+from], all["failed_"+from]
		known := count(whole) == iv.Fetches && count(failed) == iv.Failed
		slow, slowFailed := hdr.Above(whole, limits), hdr.Above(failed, limits)
		for i, th := range r.Thresholds {
			if th.From != from {
				continue
			}
			if !known {
				return nil
			}
			above[i] = slow[i] - slowFailed[i] + iv.Failed
		}
	}
	return above
}

// count is how many values h has; nil has none.
func count(h *hdrhistogram.Histogram) int64 {
	if h == nil {
		return 0
	}
	return h.TotalCount()
}

// Plan is what the run was asked to do; Finish measures against it.
type Plan struct {
	Warmup, Duration time.Duration
	Rate             float64            // fetches per second offered, where there are no stages
	Stages           []result.LoadStage // how the rate moves; their figures are filled in
	Thresholds       []result.Threshold // latency limits above which every second's fetches are counted, for Parse
}

// Finish returns the load recorded so far. A log without its end (k6 was
// killed, the disk filled, the last line is cut) gives a Load with Partial set;
// a log that is something else gives an error.
//
// The achieved rate is the fetches that completed in time over the planned
// duration, see result.Load.Achieved; a partial log is divided by the seconds it
// covers.
func (r *Recorder) Finish(p Plan) (*result.Load, error) {
	if r.err != nil {
		return nil, r.err
	}
	var partial []string
	if rest := bytes.TrimSpace(r.pending); len(rest) > 0 {
		if json.Valid(rest) {
			if err := r.take(rest); err != nil {
				return nil, err
			}
		} else if !r.sawHeader {
			return nil, errors.New("line 1 is not k6 interval output")
		} else {
			partial = append(partial, "the last line of k6's output is cut off")
		}
		r.pending = nil
	}
	if !r.sawHeader {
		return nil, errors.New("k6's interval output is empty")
	}
	l := &result.Load{
		OfferedRate: p.Rate, Start: r.start, WarmupSeconds: p.Warmup.Seconds(), MeasuredSeconds: p.Duration.Seconds(),
		Thresholds: r.Thresholds,
		Series:     r.series, Statuses: map[string]int64{}, Extra: map[string]float64{},
	}
	switch {
	case r.summary == nil:
		partial = append(partial, "k6 wrote no summary: it was killed or could not write")
	case r.summary.Partial:
		partial = append(partial, strings.TrimSuffix("k6 stopped before the end: "+r.summary.Reason, ": "))
	}
	if r.summary != nil {
		l.Generator.Version, l.Generator.MaxVUs = r.summary.K6, int(r.summary.MaxVUs)
	}
	l.Partial = strings.Join(partial, "; ")
	switch {
	case len(p.Stages) > 0:
		if err := r.stages(l, p.Stages); err != nil {
			return nil, err
		}
	case l.Partial != "":
		l.MeasuredSeconds = min(l.MeasuredSeconds, r.measuredSpan())
	}
	err := r.measured.into(l)
	l.Settle()
	return l, err
}
