package judge

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
)

// The conditions that decide how far latencies can be trusted: a generator short of CPU adds its
// own delay to them, whether it takes the host's or is kept from it, and so does a machine that is
// too small, stands still or is busy with something else.
const (
	idGenerator  = "valid/generator-cpu"
	idThrottling = "valid/generator-throttling"
	idQuota      = "valid/steamer-throttling"
	idRoom       = "valid/host-size"
)

// distortion is why latencies came out longer than the chart's, by the conditions of the machine;
// empty if nothing says so. Conditions that somebody has accepted not to know excuse nothing;
// those of the host, which cost no run its PASS, do excuse a miss.
func distortion(machine []result.Check) string {
	for _, c := range machine {
		switch {
		case c.Verdict == result.Pass:
		case c.ID == IDHostCrowded, c.ID == idRoom, c.ID == IDHostStalled, c.ID == idQuota, c.Reason == throttlingUnknown:
			return c.Reason
		case (c.ID == idGenerator || c.ID == idThrottling) && !c.Informational:
			return c.Reason
		}
	}
	return ""
}

// machine evaluates what the machine owes: a miss says nothing about the subject, in either
// direction.
func (v Validity) machine(t *result.Topology, run result.Run) []result.Check {
	l := t.Load
	out := []result.Check{check("valid/complete", "the load ran to its end", cmp.Or(l.Partial, "complete"), "complete",
		l.Partial == "", l.Partial)}
	c := check(idGenerator, "generator's share of the host's CPUs", Percent(l.Generator.CPUShare),
		"<= "+Percent(v.MaxGeneratorCPU),
		l.Generator.CPUShare > 0 && l.Generator.CPUShare <= v.MaxGeneratorCPU,
		fmt.Sprintf("k6 used %s of the host: its own queueing is part of the latencies", Percent(l.Generator.CPUShare)))
	c.Headroom = headroom(l.Generator.CPUShare, v.MaxGeneratorCPU)
	if l.Generator.CPUShare <= 0 {
		c.Measured, c.Reason = "unknown", "the generator's CPU time was not recorded"
	}
	out = append(out, c, v.observed(t))
	out = append(out, v.observing(t)...)
	for _, of := range []func(*result.Topology, result.Run) (result.Check, bool){quota, stalled, room, crowd} {
		if c, known := of(t, run); known {
			out = append(out, c)
		}
	}
	for i := range out {
		out[i].Owner = result.OwnerMachine
	}
	return out
}

// observed asks whether the OpenBao pod that served was watched while measuring; without that
// nobody knows what it used and what happened to it.
func (v Validity) observed(t *result.Topology) result.Check {
	share := t.Serving(t.Load.Measured())
	c := check("valid/observed", "time in which the OpenBao that served was observed", Percent(share),
		">= "+Percent(result.MinCoverage), share >= result.MinCoverage,
		"the OpenBao that served was not watched throughout, so restarts may have been missed")
	if v.Unobserved {
		c.Informational, c.Verdict, c.Measured, c.Reason = true, result.Inconclusive, "unknown", nobodyWatched
	}
	return c
}

const nobodyWatched = "OpenBao's pods were not observed"

// unwatched are the conditions that only watching shows, where somebody has accepted that nobody
// did.
func unwatched() []result.Check {
	var out []result.Check
	for _, kind := range incidentKinds() {
		c := owned(result.OwnerSubject, check("valid/"+kind.id, kind.title, "unknown", "0", false, nobodyWatched))
		c.Informational = true
		out = append(out, c)
	}
	return out
}

// quota asks whether Steamer, and k6 with it, was held back by the CPU quota of its own control
// group, as in a job of CI.
func quota(t *result.Topology, _ result.Run) (c result.Check, known bool) {
	if t.Own == nil {
		return c, false
	}
	share, ok := t.Own.MeanThrottled(t.Load.Measured())
	c = check(idQuota, "CPU throttling of Steamer's own control group", Percent(share),
		"<= "+Percent(maxGeneratorThrottled), share <= maxGeneratorThrottled,
		fmt.Sprintf("Steamer and k6 were throttled in %s of their CPU periods: the job has too few CPUs", Percent(share)))
	return c, ok
}

// stillFor is how long a machine may stand still, seconds: beyond that a lease of 15 s that is
// renewed every 5 s is at risk, and each fetch of that time waits as long. It is also beyond what
// a busy scheduler does to something that wakes up once a second.
const stillFor = 3

// stalled asks whether the machine itself stood still: something that wakes up each second did
// not. It is shown only, like crowd.
func stalled(t *result.Topology, _ result.Run) (c result.Check, known bool) {
	if t.Host == nil {
		return c, false
	}
	w, longest := t.Load.Whole(), 0.0
	for i := 1; i < len(t.Host.Samples); i++ {
		if from, to := t.Host.Samples[i-1].At, t.Host.Samples[i].At; to.After(w.From) && from.Before(w.To) {
			longest = max(longest, to.Sub(from).Seconds())
		}
	}
	c = check(IDHostStalled, "longest time in which this machine stood still", num(longest)+" s",
		fmt.Sprintf("<= %d s", stillFor), longest <= stillFor,
		fmt.Sprintf("this machine stood still for %s s", num(longest)))
	c.Informational = true
	return c, longest > 0
}

// Spans in which the machine is looked at, and which of them are crowded.
const (
	crowdSpan = 10 * time.Second
	maxOthers = 0.4  // share of the CPUs
	maxCrowds = 0.05 // share of the spans: a p95 does not move by fewer
)

// othersCPUs is how many CPUs a machine should have beyond OpenBao's limit: for PostgreSQL,
// Kubernetes and the load generator.
const othersCPUs = 1

// fullCPU is the use of CPUs from which on they are full: at 85 % a queue with random arrivals is
// more than five times as long as its server is busy (M/M/1: use/(1-use)).
const fullCPU = 0.85

// room asks whether the machine is large enough for what the tier allows OpenBao. Where it is not,
// and its CPUs were full in more than maxCrowds of the measured time, OpenBao may have wanted more
// than there was. On a small machine that was not full nobody lacked anything. It is shown only: a
// chart that holds its objectives on less holds them. It is not known where the cluster has other
// machines than Steamer.
func room(t *result.Topology, run result.Run) (c result.Check, known bool) {
	tier, err := load.TierNamed(run.Tier)
	cpus := run.Host.Usable()
	if err != nil || t.Host == nil || cpus == 0 {
		return c, false
	}
	limit, err := resource.ParseQuantity(tier.CPULimit)
	if err != nil {
		return c, false
	}
	need := limit.AsApproximateFloat64() + othersCPUs
	full := fullTime(t.Host, t.Load.Measured(), fullCPU*float64(run.Host.CPUs))
	c = check(idRoom, "CPUs of the host, for what the tier allows OpenBao and one for everything else",
		fmt.Sprintf("%s, full in %s of the time", num(cpus), Percent(full)), fmt.Sprintf(">= %s, or full in <= %s", num(need),
			Percent(maxCrowds)),
		cpus >= need || full <= maxCrowds,
		fmt.Sprintf("the host has %s CPUs, fewer than the %s that tier %s allows OpenBao and one for everything else, and "+
			"they were full in %s of the time",
			num(cpus), num(need-othersCPUs), run.Tier, Percent(full)))
	c.Informational = true
	return c, true
}

// fullTime is the share of w, 0 to 1, in which the machine used some cores or more.
func fullTime(host *result.ResourceSeries, w result.Window, cores float64) float64 {
	full, whole := 0.0, w.To.Sub(w.From).Seconds()
	for i := 1; i < len(host.Samples); i++ {
		if host.Samples[i].CPUCores >= cores {
			span := result.ResourceSeries{Samples: host.Samples[i-1 : i+1]}
			_, covered := span.CPUSeconds(w)
			full += covered
		}
	}
	return full / math.Max(whole, 1e-9)
}

// strangers is the share of the CPUs that Steamer could use which others took from it, 0 to 1.
// Where a quota leaves it a part of the machine, others take from that only what does not fit
// beside it.
func strangers(t *result.Topology, host result.Host, w result.Window) (share float64, ok bool) {
	cpus := host.Usable()
	if cpus <= 0 {
		return 0, false
	}
	cores, ok := t.Others(w)
	return math.Max(0, cores-math.Max(0, float64(host.CPUs)-cpus)) / cpus, ok
}

// crowd looks at what else the machine did while it measured. It is shown only, since a chart that
// holds its objectives beside a build holds them; but see distortion.
func crowd(t *result.Topology, run result.Run) (c result.Check, known bool) {
	w := t.Load.Measured()
	spans, crowded, most := 0, 0, 0.0
	for from := w.From; !from.Add(crowdSpan).After(w.To); from = from.Add(crowdSpan) {
		share, ok := strangers(t, run.Host, result.Window{From: from, To: from.Add(crowdSpan)})
		if !ok {
			continue
		}
		spans++
		most = max(most, share)
		if share > maxOthers {
			crowded++
		}
	}
	if spans == 0 {
		return c, false
	}
	reason := fmt.Sprintf("other processes used more than %s of the host's CPUs in %d of %d spans of 10 s",
		Percent(maxOthers), crowded, spans)
	if len(t.Nodes) == 0 {
		reason += " (this record does not tell Kubernetes from strangers)"
	}
	c = check(IDHostCrowded, "other processes' share of the host's CPUs, at its highest for 10 s", Percent(most),
		fmt.Sprintf("<= %s in 95 %% of the time", Percent(maxOthers)), float64(crowded) <= maxCrowds*float64(spans), reason)
	c.Informational = true
	return c, true
}

// shortage reports whether the machine lacked the memory to let a container grow from what it used
// last to its limit, in the minute before something was killed; known is false where that was not
// recorded.
func shortage(t *result.Topology, container string, at time.Time) (short, known bool) {
	w := result.Window{From: at.Add(-time.Minute), To: at.Add(time.Second)}
	used, limit, seen := 0.0, 0.0, false
	for i := range t.Resources {
		if s := &t.Resources[i]; s.Name == container && s.MemoryLimit > 0 {
			peak, ok := s.PeakMemory(w)
			used, limit, seen = max(used, peak), s.MemoryLimit, seen || ok
		}
	}
	if !seen || t.Host == nil {
		return false, false
	}
	least := math.Inf(1)
	for _, x := range t.Host.Samples {
		if w.Contains(x.At) && x.AvailableMiB > 0 {
			least = math.Min(least, x.AvailableMiB)
		}
	}
	return least < math.Max(0, limit-used), !math.IsInf(least, 1)
}

// fixture reports whether a component is Steamer's own, whose restart says nothing about the
// chart.
func fixture(component string) bool { return slices.Contains([]string{"gitlab-stub", "k6"}, component) }
