package judge_test

import (
	"math"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"gitlab.com/steamer/steamer/harness/load/hdr"
	"gitlab.com/steamer/steamer/harness/result"
)

// fetch is one of a load that a test makes up.
type fetch struct {
	ms     float64
	failed bool
}

// ordinary is fetch number k of 200: p50 3 ms, p90 and p95 6 ms, p99 8 ms, mean 3.81 ms.
func ordinary(_, k int) fetch {
	switch {
	case k%200 < 150:
		return fetch{ms: 3}
	case k%200 < 194:
		return fetch{ms: 6}
	}
	return fetch{ms: 8}
}

// drive makes the record of a load as the recorder would: so many seconds of a constant rate,
// after warm-up.
func drive(warmup, seconds, rate int, of func(second, k int) fetch, thresholds ...result.Threshold) *result.Load {
	l := &result.Load{
		Mode: "inline", Profile: "test", Start: time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC),
		WarmupSeconds:   float64(warmup),
		MeasuredSeconds: float64(seconds), OfferedRate: float64(rate), Thresholds: thresholds,
		Generator: result.Generator{CPUShare: 0.05}, Extra: map[string]float64{},
	}
	whole, known := hdrhistogram.New(1, 600_000_000, 3), map[float64][2]float64{}
	recorded := func(ms float64) (quantile,
		mean float64,
	) { // of a histogram of that one value, remembered since it is slow
		if _, ok := known[ms]; !ok {
			h := hdrhistogram.New(1, 600_000_000, 3)
			_ = h.RecordValue(int64(math.Round(ms * 1000)))
			known[ms] = [2]float64{hdr.Milliseconds(h.ValueAtPercentile(100)), h.Mean() / 1000}
		}
		return known[ms][0], known[ms][1]
	}
	for i := range warmup + seconds {
		iv := result.Interval{
			Offset: float64(i), Phase: "measure", Fetches: int64(rate),
			Above: make([]int64, len(thresholds)),
		}
		if i < warmup {
			iv.Phase = "warmup"
		}
		values, sum := []float64{}, 0.0
		for k := range rate {
			f := of(i-warmup, k)
			quantile, mean := recorded(f.ms)
			values, sum = append(values, quantile), sum+mean
			if i >= warmup {
				_ = whole.RecordValue(int64(math.Round(f.ms * 1000)))
			}
			if f.failed {
				iv.Failed++
			}
			for j, th := range thresholds {
				if f.failed || f.ms > th.Limit {
					iv.Above[j]++
				}
			}
		}
		slices.Sort(values)
		q := func(p float64) float64 { return values[max(1, int(p*float64(rate)+0.5))-1] }
		iv.P50, iv.P95, iv.P99, iv.Max = q(0.5), q(0.95), q(0.99), q(1)
		iv.Mean, iv.ActualMean = sum/float64(rate), sum/float64(rate)
		if i >= warmup {
			l.Fetches, l.Failed = l.Fetches+iv.Fetches, l.Failed+iv.Failed
		}
		l.Series = append(l.Series, iv)
	}
	l.AchievedRate = float64(l.Fetches) / l.MeasuredSeconds
	l.Intended, _ = hdr.Summarise(whole)
	l.Actual = l.Intended
	return l
}

// old takes away what results of before December 2026 lack.
func old(l *result.Load) {
	l.Thresholds = nil
	for i := range l.Series {
		iv := &l.Series[i]
		iv.Above, iv.Mean, iv.ActualMean, iv.Attempts, iv.AttemptsFailed = nil, 0, 0, 0, 0
	}
}

// replace drives the load of a result again with other fetches.
func replace(of func(second, k int) fetch) func(*result.Result) {
	return func(r *result.Result) {
		l := r.Topologies[0].Load
		fresh := drive(10, 100, 200, of, l.Thresholds...)
		fresh.Generator, fresh.Profile = l.Generator, l.Profile
		fresh.Series = append(fresh.Series, result.Interval{
			Offset: 110, Phase: "measure",
			Above: make([]int64, len(l.Thresholds)),
		})
		r.Topologies[0].Load = fresh
	}
}

// slower has the given share of each second's fetches take so long.
func slower(share, ms float64) func(second, k int) fetch {
	return func(second, k int) fetch {
		if k%200 >= 200-int(math.Round(200*share)) {
			return fetch{ms: ms}
		}
		return ordinary(second, k)
	}
}
