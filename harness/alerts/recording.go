package alerts

import (
	"context"
	"fmt"
	"math"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// Target is what was scraped: the labels that Prometheus adds to every sample of a pod, and the
// pod's metrics by name. Nil metrics are a scrape that failed.
type Target struct {
	Labels  map[string]string
	Metrics map[string]*dto.MetricFamily
}

// Recording is a history of scrapes in memory. The zero value is empty. It must not be used at
// once by several goroutines.
type Recording struct {
	series map[uint64]*series
	times  []time.Time
}

type series struct {
	labels  labels.Labels
	samples []chunks.Sample
}

// Scrape adds the metrics of all targets at one time, which must be after the previous one. As in
// Prometheus, the metric `up` reports which scrapes worked, and a series that has vanished ends at
// once.
func (r *Recording) Scrape(at time.Time, targets ...Target) error {
	vanished := map[uint64]bool{}
	for hash, s := range r.series {
		last := s.samples[len(s.samples)-1]
		if !value.IsStaleNaN(last.F()) {
			vanished[hash] = true
		}
	}
	for _, target := range targets {
		up := 0.0
		if target.Metrics != nil {
			up = 1
		}
		families := make([]*dto.MetricFamily, 0, len(target.Metrics))
		for _, f := range target.Metrics {
			families = append(families, f)
		}
		samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: model.TimeFromUnixNano(at.UnixNano())},
			families...)
		if err != nil {
			return fmt.Errorf("metrics of %v: %w", target.Labels, err)
		}
		samples = append(samples, &model.Sample{
			Metric: model.Metric{model.MetricNameLabel: "up"}, Value: model.SampleValue(up),
		})
		for _, s := range samples {
			named := labels.NewBuilder(labels.EmptyLabels())
			for name, v := range s.Metric {
				named.Set(string(name), string(v))
			}
			for name, v := range target.Labels {
				named.Set(name, v)
			}
			delete(vanished, r.Add(at, named.Labels(), float64(s.Value)))
		}
	}
	for hash := range vanished {
		r.Add(at, r.series[hash].labels, math.Float64frombits(value.StaleNaN))
	}
	r.times = append(r.times, at)
	return nil
}

// Add adds one sample of a series and returns the hash of its labels.
func (r *Recording) Add(at time.Time, of labels.Labels, v float64) uint64 {
	if r.series == nil {
		r.series = map[uint64]*series{}
	}
	hash := of.Hash()
	s, ok := r.series[hash]
	if !ok {
		s = &series{labels: of}
		r.series[hash] = s
	}
	s.samples = append(s.samples, sample{at: at.UnixMilli(), value: v})
	return hash
}

// Times are those of the scrapes.
func (r *Recording) Times() []time.Time { return r.times }

// Has reports whether a metric was ever recorded.
func (r *Recording) Has(metric string) bool {
	for _, s := range r.series {
		if s.labels.Get(model.MetricNameLabel) == metric {
			return true
		}
	}
	return false
}

// Querier implements storage.Queryable.
func (r *Recording) Querier(int64, int64) (storage.Querier, error) {
	return querier{storage.NoopQuerier(), r}, nil
}

// querier selects from a recording. Evaluating an expression asks for nothing else.
type querier struct {
	storage.Querier
	recording *Recording
}

// Select implements storage.Querier.
func (q querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, by ...*labels.Matcher) storage.SeriesSet {
	set := &seriesSet{}
	for _, s := range q.recording.series {
		if matches(s.labels, by) {
			set.rest = append(set.rest, storage.NewListSeries(s.labels, s.samples))
		}
	}
	return set
}

func matches(of labels.Labels, by []*labels.Matcher) bool {
	for _, m := range by {
		if !m.Matches(of.Get(m.Name)) {
			return false
		}
	}
	return true
}

type seriesSet struct {
	rest    []storage.Series
	current storage.Series
}

func (s *seriesSet) Next() bool {
	if len(s.rest) == 0 {
		return false
	}
	s.current, s.rest = s.rest[0], s.rest[1:]
	return true
}

func (s *seriesSet) At() storage.Series                { return s.current }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// sample is a number at a time in milliseconds.
type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64                    { return s.at }
func (sample) ST() int64                     { return 0 }
func (s sample) F() float64                  { return s.value }
func (sample) H() *histogram.Histogram       { return nil }
func (sample) FH() *histogram.FloatHistogram { return nil }
func (sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample         { return s }
