package result

import (
	"math"
	"slices"
	"strings"
	"time"
)

// coverage is the share of w, or of what a container lived of it, that samples cover, 0 to 1, of
// each container of a component by its name: one that restarted has several series.
func (t *Topology) coverage(component string, w Window) map[string]float64 {
	seen := map[string]float64{}
	for i := range t.Resources {
		whole := w.To.Sub(w.From).Seconds()
		if s := &t.Resources[i]; s.Component == component && s.Lived(w) {
			_, covered := s.CPUSeconds(w)
			if !s.Ended.IsZero() {
				whole = math.Min(whole, s.Ended.Sub(w.From).Seconds())
			}
			seen[s.Name] += covered / math.Max(whole, 1e-9)
		}
	}
	return seen
}

// Lived reports whether the container ran in w, as far as is known.
func (s *ResourceSeries) Lived(w Window) bool { return s.Ended.IsZero() || s.Ended.After(w.From) }

// least is the smallest of shares, 0 without any.
func least(shares map[string]float64) float64 {
	if len(shares) == 0 {
		return 0
	}
	low := math.Inf(1)
	for _, share := range shares {
		low = math.Min(low, share)
	}
	return low
}

// Serving is the share of w, 0 to 1, in which the OpenBao pod that served was observed: the one
// that was marked as active, which may be another one later. Samples say so themselves. In results
// that do not have that, it is the pod that was active at the end, where the leader never changed.
// Where no pod is ever marked as active, each may be the one, and the least observed counts.
func (t *Topology) Serving(w Window) float64 {
	whole := w.To.Sub(w.From).Seconds()
	if whole <= 0 {
		return 0
	}
	var spans, all []Window
	var active []*ResourceSeries
	standbys, marked := 0, false
	for i := range t.Resources {
		s := &t.Resources[i]
		if s.Component != openBao {
			continue
		}
		switch s.Role {
		case "active":
			active = append(active, s)
		case "standby":
			standbys++
		}
		for j := 1; j < len(s.Samples); j++ {
			span := Window{From: s.Samples[j-1].At, To: s.Samples[j].At}
			if s.Samples[j].empty() {
				marked = marked || s.Samples[j].Active
				continue
			}
			all = append(all, span)
			if s.Samples[j].Active {
				spans = append(spans, span)
			}
		}
	}
	changed := slices.ContainsFunc(t.Events, func(e Event) bool { return e.Kind == "leadership" && w.Contains(e.At) })
	switch {
	case len(spans) > 0:
		return math.Min(1, w.union(spans)/whole)
	case len(active) == 1 && !changed && !marked:
		_, covered := active[0].CPUSeconds(w)
		return covered / whole
	case marked || len(active) == 0 && standbys > 0: // the others are known not to have served
		return 0
	}
	return math.Min(least(t.coverage(openBao, w)), w.union(all)/whole)
}

// empty reports whether nothing was read: what runs has memory.
func (x ResourceSample) empty() bool { return x.CPUCores == 0 && x.MemoryMiB == 0 }

// openBao is the component that is judged.
const openBao = "openbao"

// union is how many seconds of the window lie in at least one of the spans.
func (w Window) union(spans []Window) float64 {
	slices.SortFunc(spans, func(a, b Window) int { return a.From.Compare(b.From) })
	sum, end := 0.0, time.Time{}
	for _, s := range spans {
		from := s.From
		if from.Before(end) {
			from = end
		}
		if s.To.After(from) {
			sum += w.overlap(from, s.To)
			end = s.To
		}
	}
	return sum
}

// inPod reports whether a series is of a container in a pod, and not of one beside the cluster.
func (s *ResourceSeries) inPod() bool { return strings.Contains(s.Name, "/") }

// Others is how many CPU cores of the machine were used in w on the mean by what is none of
// Steamer's business. All that runs in the cluster's nodes is the chart's: a chart that writes
// much of a log drives the container runtime and the journal, and one that asks for much the API
// server. Steamer, the load generator and the engine do not count either, and interrupts, which
// belong to nobody, count in proportion. ok is false where the machine or the cluster were not
// observed throughout. Of results without Nodes it is an upper bound: Kubernetes itself is in it.
func (t *Topology) Others(w Window) (cores float64, ok bool) {
	whole := w.To.Sub(w.From).Seconds()
	if t.Host == nil || t.Load == nil || whole <= 0 {
		return 0, false
	}
	all, covered := t.Host.CPUSeconds(w)
	ours, known := 0.0, covered >= MinCoverage*whole
	inPods := false
	for i := range t.Resources {
		s := &t.Resources[i]
		inPods = inPods || s.Component == "k6"
		if len(t.Nodes) > 0 && s.inPod() {
			continue
		}
		used, seen := s.CPUSeconds(w)
		ours += used
		known = known && (len(t.Nodes) == 0 || seen >= MinCoverage*whole)
	}
	for i := range t.Nodes {
		used, seen := t.Nodes[i].CPUSeconds(w)
		ours += used
		known = known && seen >= MinCoverage*whole
	}
	if len(t.Nodes) == 0 {
		known = known && t.most(w) >= MinCoverage*whole
	}
	if !inPods {
		ours += t.Load.Generator.cpu(w)
	}
	if t.Own != nil {
		used, _ := t.Own.CPUSeconds(w)
		ours += used
	}
	interrupts := t.Host.interrupts(w)
	tasks := math.Max(0, all-interrupts)
	strangers := math.Max(0, tasks-ours)
	if tasks > 0 {
		strangers += interrupts * strangers / tasks
	}
	return strangers / whole, known
}

// most is how many seconds of w the samples of the most observed container cover.
func (t *Topology) most(w Window) float64 {
	seconds := 0.0
	for i := range t.Resources {
		_, seen := t.Resources[i].CPUSeconds(w)
		seconds = math.Max(seconds, seen)
	}
	return seconds
}

// interrupts is the CPU time of interrupts in w in seconds.
func (s *ResourceSeries) interrupts(w Window) float64 {
	sum := 0.0
	first, end := w.spans(len(s.Samples), func(i int) time.Time { return s.Samples[i].At })
	for i := first; i < end; i++ {
		sum += s.Samples[i].Interrupts * w.overlap(s.Samples[i-1].At, s.Samples[i].At)
	}
	return sum
}
