package judge

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"

	"gitlab.com/steamer/steamer/harness/load/hdr"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/stats"
)

// levels are how often a bound may be wrong: the lower one, by which a limit is missed, and the
// upper one, by which it is held. docs/method.md says what is reached.
func levels() stats.Levels { return stats.Levels{Lower: 0.01, Upper: 0.05} }

// unseenBurst is for how many seconds on end all fetches may have been above a limit without a run
// having seen any of it. Longer spells are known by what causes them: valid/database reports 3 s
// without progress, and restarts and changes of the leader have conditions of their own.
const unseenBurst = 2.0

// quantile is what a latency metric asks: from which start, and which share of fetches may be
// above the limit. The share is 0 for a mean.
type quantile struct {
	from    string
	allowed float64
}

// quantileOf reads the name of a latency metric; ok is false for every other metric.
func quantileOf(metric string) (q quantile, ok bool) {
	name, ok := strings.CutPrefix(metric, "fetch_")
	q.from = result.FromIntended
	if rest, actual := strings.CutPrefix(name, "actual_"); actual {
		name, q.from = rest, result.FromActual
	}
	// Written out, since 1-0.99 is not 0.01 in binary.
	shares := map[string]float64{
		"mean_ms": 0, "p50_ms": 0.5, "p90_ms": 0.1, "p95_ms": 0.05, "p99_ms": 0.01, "p999_ms": 0.001,
	}
	allowed, known := shares[name]
	q.allowed = allowed
	return q, ok && known
}

// series is what the seconds of a measurement say of a share. Where the number of hits is not
// known exactly, least and most bound it.
type series struct {
	least, most []stats.Tally
}

// above returns the seconds' fetches above a limit in ms, or why they are unknown.
func above(l *result.Load, from string, limit float64) (s series, unknown string) {
	measured := measuredSeconds(l)
	if fetches(measured) != l.Fetches {
		return s, "the seconds of the series do not add up to the fetches"
	}
	d := l.Intended
	if from == result.FromActual {
		d = l.Actual
	}
	var h *hdrhistogram.Histogram
	if d.HDR != "" {
		var err error
		if h, err = hdr.Decode(d.HDR); err != nil || h.TotalCount() != d.Count {
			return s, "the histogram is damaged"
		}
	}
	counted := slices.IndexFunc(l.Thresholds, func(t result.Threshold) bool {
		return t.From == from && math.Abs(t.Limit-limit) <= 1e-9*limit
	})
	lacks := func(iv result.Interval) bool { return len(iv.Above) != len(l.Thresholds) }
	if counted >= 0 && !slices.ContainsFunc(measured, lacks) {
		sum := int64(0)
		for _, iv := range measured {
			n := min(iv.Fetches, max(iv.Above[counted], iv.Failed))
			sum += n
			s.least = append(s.least, stats.Tally{Hits: float64(n), Of: float64(iv.Fetches)})
		}
		if slow := hdr.Above(h, []float64{limit})[0]; h != nil && (sum < slow || sum > slow+l.Failed) {
			return s, "the seconds' counts above the limit contradict the histogram"
		}
		s.most = s.least
		return s, ""
	}
	if h == nil {
		return s, fmt.Sprintf("the number of fetches above %s ms was not recorded, and there is no histogram", num(limit))
	}
	return derived(l, measured, from, limit, hdr.Above(h, []float64{limit})[0])
}

// derived is above for results that lack the counts: the histogram has how many fetches were slow,
// and a second's quantiles bound how many of them were its own. They are put where they lie
// closest together.
func derived(l *result.Load, measured []result.Interval, from string, limit float64, slow int64) (
	s series, unknown string,
) {
	if slow+l.Failed > 0 && from == result.FromActual {
		return s, fmt.Sprintf("it was not counted in which seconds fetches were above %s ms from the actual start",
			num(limit))
	}
	type room struct {
		at          int
		least, most int64
	}
	rooms := make([]room, len(measured))
	for i, iv := range measured {
		low, high := secondAbove(iv, limit)
		rooms[i] = room{i, max(low, iv.Failed), min(iv.Fetches, high+iv.Failed)}
	}
	place := func(total int64) []stats.Tally {
		out := make([]stats.Tally, len(measured))
		for i, iv := range measured {
			out[i] = stats.Tally{Hits: float64(rooms[i].least), Of: float64(iv.Fetches)}
			total -= rooms[i].least
		}
		order := slices.Clone(rooms)
		slices.SortStableFunc(order, func(a, b room) int { return cmp.Compare(b.most, a.most) })
		for _, r := range order {
			n := max(0, min(total, r.most-r.least))
			out[r.at].Hits += float64(n)
			total -= n
		}
		return out
	}
	return series{least: place(max(slow, l.Failed)), most: place(min(l.Fetches, slow+l.Failed))}, ""
}

// rankOf is which of n latencies, the smallest first, a histogram gives as the quantile q.
func rankOf(q float64, n int64) int64 { return max(1, int64(q*float64(n)+0.5)) }

// secondAbove bounds how many fetches of a second were above a limit, by its quantiles.
func secondAbove(iv result.Interval, limit float64) (least, most int64) {
	n := iv.Fetches
	rank := func(q float64) int64 { return rankOf(q, n) }
	switch {
	case n == 0 || iv.Max <= 0:
		return 0, n
	case iv.Max <= limit:
		return 0, 0
	case iv.P99 <= limit:
		return 1, max(1, n-rank(0.99))
	case iv.P95 <= limit:
		return n - rank(0.99) + 1, max(1, n-rank(0.95))
	case iv.P50 <= limit:
		return n - rank(0.95) + 1, max(1, n-rank(0.5))
	}
	return n - rank(0.5) + 1, n
}

// measuredSeconds are the judged ones, in the order of time.
func measuredSeconds(l *result.Load) []result.Interval {
	return slices.DeleteFunc(slices.Clone(l.Series), func(iv result.Interval) bool { return iv.Phase != "measure" })
}

func fetches(seconds []result.Interval) int64 {
	n := int64(0)
	for _, iv := range seconds {
		n += iv.Fetches
	}
	return n
}

// burst is how many fetches a burst of unseenBurst seconds has that begins at any time of the load
// alike and was seen by the fetches in it.
func burst(l *result.Load) float64 {
	return unseenBurst * busyRate(l.Stages, cmp.Or(l.OfferedRate, l.AchievedRate))
}

// busyRate is the rate in fetches per second at which the mean fetch of what is judged begins: the
// integral of the squared rate over that of the rate.
func busyRate(stages []result.LoadStage, constant float64) float64 {
	sum, squares := 0.0, 0.0
	for _, s := range stages {
		if !s.Excursion {
			sum += s.Seconds * (s.From + s.To) / 2
			squares += s.Seconds * (s.From*s.From + s.From*s.To + s.To*s.To) / 3
		}
	}
	if sum == 0 {
		return constant
	}
	return squares / sum
}

// share bounds a share from its series.
func (s series) share(burst, allowed float64) *result.Bounds {
	low, high := stats.ShareOf(s.least, burst, levels()), stats.ShareOf(s.most, burst, levels())
	return &result.Bounds{
		Of: "share", Measured: high.Share, Lower: low.Lower, Upper: high.Upper, Allowed: allowed,
		Count: int64(high.Hits), Effective: low.Effective,
	}
}

// mean bounds a mean latency in ms, or says why that is impossible. A failed fetch counts with the
// time it took, and towards the upper bound with the limit besides: a fast failure is no fast
// fetch.
func mean(l *result.Load, from string, limit float64) (b *result.Bounds, unknown string) {
	measured, d := measuredSeconds(l), l.Intended
	of := func(iv result.Interval) (low, high float64) { return iv.Mean, iv.Mean }
	if from == result.FromActual {
		d = l.Actual
		of = func(iv result.Interval) (low, high float64) { return iv.ActualMean, iv.ActualMean }
	}
	if fetches(measured) != l.Fetches {
		return nil, "the seconds of the series do not add up to the fetches"
	}
	known := !slices.ContainsFunc(measured, func(iv result.Interval) bool {
		m, _ := of(iv)
		return iv.Fetches > 0 && m <= 0
	})
	if !known && from == result.FromActual {
		return nil, "the seconds' mean latencies were not recorded"
	}
	if !known {
		of = secondMean
	}
	low, high, lowSum, highSum := []stats.Sum{}, []stats.Sum{}, 0.0, 0.0
	for _, iv := range measured {
		a, b := of(iv)
		n := float64(iv.Fetches)
		low = append(low, stats.Sum{Sum: a * n, Of: n})
		high = append(high, stats.Sum{Sum: b*n + float64(iv.Failed)*limit, Of: n})
		lowSum, highSum = lowSum+a*n, highSum+b*n
	}
	if n := float64(l.Fetches); lowSum > n*d.Mean*(1+bucket) || highSum < n*d.Mean*(1-bucket) {
		return nil, "the seconds' latencies contradict the mean of all"
	}
	b = &result.Bounds{
		Of: "mean", Measured: d.Mean, Allowed: limit,
		Lower: stats.MeanOf(low, burst(l), d.Max, levels()).Lower,
		Upper: stats.MeanOf(high, burst(l), d.Max, levels()).Upper,
	}
	if math.IsInf(b.Upper, 1) {
		return nil, "too few seconds say how much it varies"
	}
	return b, ""
}

// bucket is how exactly histograms know a latency.
const bucket = 0.001

// secondMean bounds the mean latency of a second by its quantiles, for results that have no more
// of it.
func secondMean(iv result.Interval) (low, high float64) {
	if iv.Max <= 0 || iv.Fetches == 0 {
		return 0, math.Inf(1)
	}
	n, at := float64(iv.Fetches), 0.0
	for _, q := range []struct{ of, value float64 }{{0.5, iv.P50}, {0.95, iv.P95}, {0.99, iv.P99}, {1, iv.Max}} {
		rank := float64(rankOf(q.of, iv.Fetches))
		high += (rank - at) * q.value
		if rank > at { // the one at the rank itself has the value, those before it at least that of the quantile before
			low += q.value
		}
		at = rank
	}
	return low * (1 - bucket) / n, high * (1 + bucket) / n
}

// failures bounds the share of fetches, or of single requests, that failed, or says why that is
// impossible.
func failures(l *result.Load, metric string, allowed float64) (b *result.Bounds, unknown string) {
	var s series
	failed, all, size := l.Failed, l.Fetches, burst(l)
	of := func(iv result.Interval) (hits, n int64) { return iv.Failed, iv.Fetches }
	if metric == attemptErrors {
		failed, all = l.Attempts.Failed, l.Attempts.Count
		size *= float64(all) / float64(max(1, l.Fetches))
		of = func(iv result.Interval) (hits, n int64) { return iv.AttemptsFailed, iv.Attempts }
	}
	for _, iv := range measuredSeconds(l) {
		hits, n := of(iv)
		failed, all = failed-hits, all-n
		s.least = append(s.least, stats.Tally{Hits: float64(hits), Of: float64(n)})
	}
	if failed != 0 || all != 0 {
		return nil, "it was not counted in which seconds they failed"
	}
	s.most = s.least
	return s.share(size, allowed), ""
}

// bounds are what the limit of a metric is judged by, nil where its value is. The limit is in the
// metric's unit, a share from 0 to 1.
func bounds(metric string, l *result.Load, limit float64) (b *result.Bounds, unknown string) {
	q, isLatency := quantileOf(metric)
	switch {
	case isLatency && q.allowed == 0:
		return mean(l, q.from, limit)
	case isLatency:
		s, unknown := above(l, q.from, limit)
		if unknown != "" {
			return nil, unknown
		}
		return s.share(burst(l), q.allowed), ""
	case (metric == errorRate || metric == attemptErrors) && limit > 0 && limit < 1:
		return failures(l, metric, limit)
	}
	return nil, "" // one failure misses a limit of 0, and what is no share of fetches is what it is
}
