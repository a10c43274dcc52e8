package load

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/load/hdr"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/stats"
)

// into spreads what was measured over the fields that have names for it.
func (t *tally) into(l *result.Load) error {
	if n, ok := t.counts["attempts"]; ok {
		l.Attempts = &result.Attempts{
			Count: n, Failed: t.counts["attempts_failed"], Retried: t.counts["retried"], Rescued: t.counts["rescued"],
		}
	}
	for name, n := range t.counts {
		status, isStatus := strings.CutPrefix(name, "status_")
		switch {
		case name == "fetches":
			l.Fetches = n
		case name == "failed":
			l.Failed = n
		case name == "wrong":
			l.Wrong = n
		case name == "dropped":
			l.Dropped = n
		case name == "attempts" || name == "attempts_failed" || name == "retried" || name == "rescued":
			// in Attempts
		case isStatus && status == "0":
			l.Statuses["error"] += n
		case isStatus:
			l.Statuses[status] += n
		default:
			l.Extra[name] += float64(n)
		}
	}
	var errs [4]error
	l.Actual, errs[0] = hdr.Summarise(t.actual.Histogram())
	l.Intended, errs[1] = hdr.Summarise(t.intended.Histogram())
	l.Steps, errs[2] = summaries(t.steps)
	l.Kinds, errs[3] = summaries(t.kinds)
	return errors.Join(errs[:]...)
}

// summaries turns sums into distributions, nil for none.
func summaries(sums map[string]*hdr.Sum) (map[string]result.Distribution, error) {
	var out map[string]result.Distribution
	for name, sum := range sums {
		d, err := hdr.Summarise(sum.Histogram())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if d.Count == 0 {
			continue
		}
		if out == nil {
			out = map[string]result.Distribution{}
		}
		out[name] = d
	}
	return out, nil
}

// stages completes a load whose rate moved: the stages' figures, the excursion, and what was
// judged of a log that ends early.
func (r *Recorder) stages(l *result.Load, planned []result.LoadStage) error {
	l.Stages = slices.Clone(planned)
	if l.Partial != "" {
		l.Stages = r.reached(l.Stages)
	}
	l.OfferedRate, l.MeasuredSeconds = mean(l.Stages, false)
	if rate, seconds := mean(l.Stages, true); seconds > 0 {
		var err1, err2 error
		c := r.beyond.counts
		e := &result.Excursion{
			Seconds: seconds, Offered: rate, Fetches: c["fetches"], Failed: c["failed"], Wrong: c["wrong"],
			Dropped: c["dropped"],
		}
		e.Actual, err1 = hdr.Summarise(r.beyond.actual.Histogram())
		e.Intended, err2 = hdr.Summarise(r.beyond.intended.Histogram())
		if err := errors.Join(err1, err2); err != nil {
			return fmt.Errorf("excursion: %w", err)
		}
		l.Excursion = e
	}
	p50, p95 := make([][]float64, len(l.Stages)), make([][]float64, len(l.Stages))
	for _, iv := range r.series {
		i := nearest(l.Stages, iv)
		if i < 0 {
			continue
		}
		s := &l.Stages[i]
		s.Fetches, s.Failed, s.Wrong, s.Dropped = s.Fetches+iv.Fetches, s.Failed+iv.Failed, s.Wrong+iv.Wrong,
			s.Dropped+iv.Dropped
		if iv.P50 > 0 {
			p50[i], p95[i] = append(p50[i], iv.P50), append(p95[i], iv.P95)
		}
	}
	for i := range l.Stages {
		if len(p50[i]) > 0 {
			l.Stages[i].P50, l.Stages[i].P95 = stats.Median(p50[i]), stats.Median(p95[i])
		}
	}
	return nil
}

// reached cuts the stages where the log ends.
func (r *Recorder) reached(stages []result.LoadStage) []result.LoadStage {
	end := 0.0
	if n := len(r.series); n > 0 {
		end = r.series[n-1].Offset + 1
	}
	var out []result.LoadStage
	for _, s := range stages {
		if s.At >= end {
			break
		}
		if rest := end - s.At; rest < s.Seconds {
			s.To = s.From + (s.To-s.From)*rest/s.Seconds
			s.Seconds = rest
		}
		out = append(out, s)
	}
	return out
}

// nearest is the stage of the interval's phase in which its middle lies, or the nearest one, since
// the seconds of the log are not aligned with the schedule; -1 for the warm-up.
func nearest(stages []result.LoadStage, iv result.Interval) int {
	best, least := -1, math.Inf(1)
	for i, s := range stages {
		if iv.Phase == warmup || s.Excursion != (iv.Phase == excursion) {
			continue
		}
		middle := iv.Offset + 0.5
		if off := max(s.At-middle, middle-(s.At+s.Seconds), 0); off < least {
			best, least = i, off
		}
	}
	return best
}

// measuredSpan is the time in seconds from the first to the end of the last measured interval.
func (r *Recorder) measuredSpan() float64 {
	first, last := -1.0, 0.0
	for _, iv := range r.series {
		if iv.Phase == measure {
			if first < 0 {
				first = iv.Offset
			}
			last = iv.Offset + 1
		}
	}
	return max(0, last-max(first, 0))
}
