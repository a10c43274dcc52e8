package openbao

import (
	"fmt"
	"strconv"
	"time"

	"go.k6.io/k6/v2/metrics"

	"gitlab.com/steamer/steamer/perf/fetch"
)

// Names of the k6 metrics this module emits.
const (
	// metricDuration is a trend in milliseconds from the actual start of a fetch.
	metricDuration = "openbao_fetch_duration"
	// metricIntended is a trend in milliseconds from the scheduled start of a fetch, see
	// intended.go.
	metricIntended = "openbao_fetch_intended"
	// metricFetches counts fetches that ended.
	metricFetches = "openbao_fetches"
	// metricFailed is the share of fetches without a usable answer.
	metricFailed = "openbao_fetch_failed"
	// metricWrong counts answers with status 200 and a value other than the expected one.
	metricWrong = "openbao_wrong_values"
	// metricAttempts counts requests, repetitions included.
	metricAttempts = "openbao_attempts"
	// metricAttemptFailed is the share of requests that failed: the raw error rate. metricFailed
	// is the rate after repetitions.
	metricAttemptFailed = "openbao_attempt_failed"
	// metricStep is a trend in milliseconds of the parts of a fetch, by tag step.
	metricStep = "openbao_step_duration"
	// metricInterrupted counts fetches cut off by the end of the run.
	metricInterrupted = "openbao_fetches_interrupted"
)

type metricSet struct {
	duration, intended, fetches, failed, wrong, interrupted, attempts, attemptFailed, step *metrics.Metric
}

func registerMetrics(registry *metrics.Registry) (*metricSet, error) {
	m := &metricSet{}
	for _, d := range []struct {
		to   **metrics.Metric
		name string
		typ  metrics.MetricType
		val  metrics.ValueType
	}{
		{&m.duration, metricDuration, metrics.Trend, metrics.Time},
		{&m.intended, metricIntended, metrics.Trend, metrics.Time},
		{&m.fetches, metricFetches, metrics.Counter, metrics.Default},
		{&m.failed, metricFailed, metrics.Rate, metrics.Default},
		{&m.wrong, metricWrong, metrics.Counter, metrics.Default},
		{&m.attempts, metricAttempts, metrics.Counter, metrics.Default},
		{&m.attemptFailed, metricAttemptFailed, metrics.Rate, metrics.Default},
		{&m.step, metricStep, metrics.Trend, metrics.Time},
		{&m.interrupted, metricInterrupted, metrics.Counter, metrics.Default},
	} {
		metric, err := registry.NewMetric(d.name, d.typ, d.val)
		if err != nil {
			return nil, fmt.Errorf("metric %s: %w", d.name, err)
		}
		*d.to = metric
	}
	return m, nil
}

// Observation is one fetch as the outputs get it. Outputs that know the type (hdr) read its
// fields. For all others it is a container of ordinary k6 samples, made only when an output needs
// them.
type Observation struct {
	// Result is how the fetch went.
	Result fetch.Result
	// Arrival is the scheduled start; nil without one.
	Arrival Arrival
	// ByKind says that the client does different things, so that latencies are also recorded by
	// Result.Kind.
	ByKind bool
	// Tags are the VU's tags with kind and status, and error for a failure.
	Tags *metrics.TagSet
	// Metadata are the VU's tags that are not indexed.
	Metadata map[string]string

	metrics *metricSet
}

var _ metrics.ConnectedSampleContainer = (*Observation)(nil)

// GetTags returns the tags all samples share.
func (o *Observation) GetTags() *metrics.TagSet { return o.Tags }

// GetTime returns when the fetch ended.
func (o *Observation) GetTime() time.Time { return o.Result.Start.Add(o.Result.Duration) }

// Intended is the time from the scheduled start to the end, if so many arrivals of the scenario
// were dropped in this process before the fetch began; false if no schedule applies. It is never
// below the actual latency.
func (o *Observation) Intended(drops uint64) (time.Duration, bool) {
	if o.Arrival == nil {
		return 0, false
	}
	due, ok := o.Arrival.Due(drops)
	if !ok {
		return 0, false
	}
	return max(o.Result.Duration, o.GetTime().Sub(due)), true
}

// GetSamples renders the fetch as k6 samples. An interrupted fetch has no latency and is counted
// apart.
func (o *Observation) GetSamples() []metrics.Sample {
	if o.Result.Outcome == fetch.Interrupted {
		return []metrics.Sample{o.sample(o.metrics.interrupted, 1)}
	}
	samples := make([]metrics.Sample, 0, 6+o.Result.Attempts+len(o.Result.Steps))
	samples = append(samples,
		o.sample(o.metrics.duration, metrics.D(o.Result.Duration)),
		o.sample(o.metrics.fetches, 1),
		o.sample(o.metrics.failed, metrics.B(o.Result.Outcome == fetch.Failed)),
	)
	if intended, ok := o.Intended(0); ok {
		samples = append(samples, o.sample(o.metrics.intended, metrics.D(intended)))
	}
	if o.Result.Outcome == fetch.Wrong {
		samples = append(samples, o.sample(o.metrics.wrong, 1))
	}
	return o.parts(samples)
}

// parts adds the samples of attempts and steps.
func (o *Observation) parts(samples []metrics.Sample) []metrics.Sample {
	samples = append(samples, o.sample(o.metrics.attempts, float64(o.Result.Attempts)))
	for i := range o.Result.Attempts {
		samples = append(samples, o.sample(o.metrics.attemptFailed, metrics.B(i < len(o.Result.Failures))))
	}
	for _, step := range o.Result.Steps {
		s := o.sample(o.metrics.step, metrics.D(step.Duration))
		s.Tags = o.Tags.With("step", string(step.Step))
		samples = append(samples, s)
	}
	return samples
}

func (o *Observation) sample(m *metrics.Metric, value float64) metrics.Sample {
	return metrics.Sample{
		TimeSeries: metrics.TimeSeries{Metric: m, Tags: o.Tags},
		Time:       o.GetTime(), Value: value, Metadata: o.Metadata,
	}
}

// tagger adds the result's tags to the VU's. Both rarely change from one fetch to the next, so the
// last set is kept.
type tagger struct {
	base   *metrics.TagSet
	kind   string
	status int
	class  fetch.Class
	tags   *metrics.TagSet
}

func (t *tagger) with(base *metrics.TagSet, r fetch.Result) *metrics.TagSet {
	if t.tags != nil && t.base == base && t.kind == r.Kind && t.status == r.Status && t.class == r.Class {
		return t.tags
	}
	tags := base.With("kind", r.Kind).With("status", strconv.Itoa(r.Status))
	if r.Class != "" {
		tags = tags.With("error", string(r.Class))
	}
	*t = tagger{base: base, kind: r.Kind, status: r.Status, class: r.Class, tags: tags}
	return tags
}
