package result

import (
	"cmp"
	"math"
	"sort"
	"time"
)

// Window is a half-open span of time.
type Window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Contains reports whether at lies in the window.
func (w Window) Contains(at time.Time) bool { return !at.Before(w.From) && at.Before(w.To) }

// overlap is how many seconds of the window lie between from and to.
func (w Window) overlap(from, to time.Time) float64 {
	if from.Before(w.From) {
		from = w.From
	}
	if to.After(w.To) {
		to = w.To
	}
	return max(0, to.Sub(from).Seconds())
}

// spans are the indices, end not included, of those of n samples in the order of time whose span
// since the sample before may lie in the window. Judges look at a series in many short windows.
func (w Window) spans(n int, at func(int) time.Time) (first, end int) {
	first = max(1, sort.Search(n, func(i int) bool { return at(i).After(w.From) }))
	return first, min(n, first+sort.Search(max(0, n-first), func(i int) bool { return !at(first + i).Before(w.To) })+1)
}

// Measured is the span in which l measured, warm-up excluded, excursions included.
func (l *Load) Measured() Window {
	from := l.Start.Add(seconds(l.WarmupSeconds))
	return Window{From: from, To: from.Add(seconds(l.Spent()))}
}

// Whole is the span of l, warm-up included.
func (l *Load) Whole() Window {
	return Window{From: l.Start, To: l.Measured().To}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// CPUSeconds integrates the CPU time one container used within w, in seconds.
// covered is the part of w the samples cover, in seconds; a container that
// started late or was sampled sparsely covers less than the whole.
func (s *ResourceSeries) CPUSeconds(w Window) (used, covered float64) {
	first, end := w.spans(len(s.Samples), func(i int) time.Time { return s.Samples[i].At })
	for i := first; i < end; i++ {
		// A reading is the mean since the one before it, so it stands for that span.
		d := w.overlap(s.Samples[i-1].At, s.Samples[i].At)
		used += s.Samples[i].CPUCores * d
		covered += d
	}
	return used, covered
}

// Cores is the mean use of the k6 process within w in cores, by its samples.
func (g *Generator) Cores(w Window) float64 {
	return g.cpu(w) / math.Max(w.To.Sub(w.From).Seconds(), 1e-9)
}

// cpu is the CPU time of the k6 process within w in seconds, by its samples.
func (g *Generator) cpu(w Window) float64 {
	used := 0.0
	first, end := w.spans(len(g.Samples), func(i int) time.Time { return g.Samples[i].At })
	for i := first; i < end; i++ {
		used += g.Samples[i].CPUCores * w.overlap(g.Samples[i-1].At, g.Samples[i].At)
	}
	return used
}

// PeakMemory is the largest working set seen in w in MiB; ok is false without a sample in it.
func (s *ResourceSeries) PeakMemory(w Window) (mib float64, ok bool) {
	for _, x := range s.Samples {
		if w.Contains(x.At) {
			mib, ok = math.Max(mib, x.MemoryMiB), true
		}
	}
	return mib, ok
}

// PeakMemory is the largest working set in w of a component's containers in MiB; ok is false where
// one of them was not seen, and without any.
func (t *Topology) PeakMemory(component string, w Window) (mib float64, ok bool) {
	all, found := true, false
	for i := range t.Resources {
		if s := &t.Resources[i]; s.Component == component {
			peak, seen := s.PeakMemory(w)
			mib, all, found = max(mib, peak), all && seen, true
		}
	}
	return mib, all && found
}

// MeanThrottled is the mean share of throttled CFS periods in w, 0 to 1; ok is false without a
// sample in it, and where samples come from a kubelet's summary, which does not have it.
func (s *ResourceSeries) MeanThrottled(w Window) (share float64, ok bool) {
	sum, n := 0.0, 0
	for _, x := range s.Samples {
		if w.Contains(x.At) {
			sum, n = sum+x.Throttled, n+1
		}
	}
	if n == 0 || s.Coarse {
		return 0, false
	}
	return sum / float64(n), true
}

// MinCoverage is the share of a span that samples must cover before a figure is derived from them;
// less would compare different spans.
const MinCoverage = 0.9

// CPUCores is the mean use of a container in w in cores; ok is false where samples cover less than
// MinCoverage of it.
func (s *ResourceSeries) CPUCores(w Window) (cores float64, ok bool) {
	used, covered := s.CPUSeconds(w)
	if whole := w.To.Sub(w.From).Seconds(); whole <= 0 || covered < MinCoverage*whole {
		return 0, false
	}
	return used / covered, true
}

// CPUPerFetch is the CPU time in milliseconds that all containers of component used per completed
// fetch while measuring: the integral of their CPU use over the measured span, divided by the
// fetches. ok is false when there was no load or the samples of one of its containers cover less
// than MinCoverage of the span: a container that nobody watched makes the sum unknown, not
// smaller.
func (t *Topology) CPUPerFetch(component string) (ms float64, ok bool) {
	if t.Load == nil || t.Load.Completed() == 0 {
		return 0, false
	}
	w := t.Load.Measured()
	used, seen := 0.0, t.coverage(component, w)
	for i := range t.Resources {
		if t.Resources[i].Component == component {
			u, _ := t.Resources[i].CPUSeconds(w)
			used += u
		}
	}
	if len(seen) == 0 || least(seen) < MinCoverage {
		return 0, false
	}
	return 1000 * used / float64(t.Load.Completed()), true
}

// Count returns how many scenarios ended with each status.
func (t *Topology) Count() (passed, failed, skipped int) { return Count(t.Scenarios) }

// Count returns how many scenarios of a list ended with each status.
func Count(list []Scenario) (passed, failed, skipped int) {
	for _, s := range list {
		switch s.Status {
		case Passed:
			passed++
		case Failed:
			failed++
		case Skipped:
			skipped++
		}
	}
	return passed, failed, skipped
}

// Of returns the subject; records without one are about the chart.
func (s Scenario) Of() Subject { return cmp.Or(s.Subject, SubjectChart) }

// interrupted is the reason of scenarios that an interrupt kept from their end, in records from
// before Scenario.Untried.
const interrupted = "interrupted"

// Tried reports whether the scenario ran to an outcome, or was skipped for a reason that the
// environment declares.
func (s Scenario) Tried() bool {
	return s.Status != Skipped || !s.Untried && s.Reason != interrupted
}

// Interrupted adds to a verdict that the run was interrupted. What had been proven by then stands:
// a FAIL stays one, anything else is INCONCLUSIVE.
func (r *Result) Interrupted() {
	const why = "the run was interrupted"
	if r.Verdict == Fail {
		r.Reasons = append(r.Reasons, why)
		return
	}
	r.Verdict, r.Reasons = Inconclusive, append([]string{why}, r.Reasons...)
}
