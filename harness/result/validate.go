package result

import (
	"fmt"
	"math"
	"slices"
)

// validate checks what the types alone cannot say.
func (r *Result) validate() error {
	if r.Run.ID == "" {
		return fmt.Errorf("run.id is empty")
	}
	if err := r.Verdict.validate("verdict"); err != nil {
		return err
	}
	seen := make(map[string]bool, len(r.Topologies))
	for i := range r.Topologies {
		t := &r.Topologies[i]
		if t.Name == "" || seen[t.Name] {
			return fmt.Errorf("topologies[%d]: name %q is empty or used twice", i, t.Name)
		}
		seen[t.Name] = true
		if err := t.validate(); err != nil {
			return fmt.Errorf("topology %s: %w", t.Name, err)
		}
	}
	return nil
}

func (t *Topology) validate() error {
	if err := t.Verdict.validate("verdict"); err != nil {
		return err
	}
	for _, c := range t.Checks {
		if err := c.Verdict.validate("check " + c.ID); err != nil {
			return err
		}
	}
	for _, s := range t.Scenarios {
		switch s.Status {
		case Passed, Failed, Skipped:
		default:
			return fmt.Errorf("scenario %s: unknown status %q", s.ID, s.Status)
		}
		switch s.Subject {
		case "", SubjectChart, SubjectServer, SubjectGitLab:
		default:
			return fmt.Errorf("scenario %s: unknown subject %q", s.ID, s.Subject)
		}
		if s.Status == Skipped && s.Reason == "" {
			return fmt.Errorf("scenario %s: skipped without a reason", s.ID)
		}
	}
	if l := t.Load; l != nil {
		for _, v := range []float64{l.OfferedRate, l.AchievedRate, l.WarmupSeconds, l.MeasuredSeconds} {
			if v < 0 || math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("load: %v is not a rate or duration", v)
			}
		}
		return l.validateCounts()
	}
	return nil
}

// validateCounts refuses counts that no load can have.
func (l *Load) validateCounts() error {
	if err := l.validateTotals(); err != nil {
		return err
	}
	for i, th := range l.Thresholds {
		if th.From != FromIntended && th.From != FromActual || !(th.Limit > 0) {
			return fmt.Errorf("load: thresholds[%d]: %v ms from the start %q is not a limit", i, th.Limit, th.From)
		}
	}
	for _, iv := range l.Series {
		if len(iv.Above) != 0 && len(iv.Above) != len(l.Thresholds) {
			return fmt.Errorf("load: %d counts above %d thresholds at %v s", len(iv.Above), len(l.Thresholds), iv.Offset)
		}
		for _, n := range iv.Above {
			if n < 0 || n > iv.Fetches {
				return fmt.Errorf("load: %d of %d fetches above a threshold at %v s", n, iv.Fetches, iv.Offset)
			}
		}
	}
	return nil
}

// validateTotals refuses counts and latencies below 0, and seconds in which more went wrong than
// the totals admit.
func (l *Load) validateTotals() error {
	total := []int64{l.Failed, l.Wrong, l.Dropped, l.Fetches}
	seconds := make([]int64, len(total))
	for _, iv := range l.Series {
		of := []int64{iv.Failed, iv.Wrong, iv.Dropped, iv.Fetches}
		if slices.Min(of) < 0 {
			return fmt.Errorf("load: a count at %v s is below 0", iv.Offset)
		}
		for i, n := range of {
			if iv.Phase == "measure" {
				seconds[i] += n
			}
		}
	}
	for i, what := range []string{"failed fetches", "wrong values", "dropped arrivals", "fetches"} {
		if total[i] < 0 {
			return fmt.Errorf("load: %d %s", total[i], what)
		}
		if seconds[i] > total[i] && what != "fetches" { // of which a judge says that they do not add up
			return fmt.Errorf("load: its seconds have %d %s, and its total is %d", seconds[i], what, total[i])
		}
	}
	for _, d := range []Distribution{l.Actual, l.Intended} {
		if d.Count < 0 || min(d.Mean, d.Min, d.P50, d.P90, d.P95, d.P99, d.P999, d.Max) < 0 {
			return fmt.Errorf("load: a latency is below 0")
		}
	}
	return nil
}

func (v Verdict) validate(what string) error {
	switch v {
	case Pass, Fail, Inconclusive:
		return nil
	}
	return fmt.Errorf("%s: unknown verdict %q", what, string(v))
}
