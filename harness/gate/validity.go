package gate

import (
	"fmt"
	"math"
	"strings"

	"gitlab.com/steamer/steamer/harness/result"
)

// Validity holds the limits within which a measurement says something about the
// chart rather than about the machine that measured it.
type Validity struct {
	// MinAchieved is the least share of the offered rate that must have been completed.
	MinAchieved float64
	// MaxGeneratorCPU is the largest share of all the host's CPUs that k6 may use.
	MaxGeneratorCPU float64
	// MaxDrift is the largest ratio between the median latencies of the two halves of the measurement, and between the ends of a trend in it.
	MaxDrift float64
	// FallMayBe accepts a latency that falls: what is known to begin before everything is warm, such as the short runs of a search, is
	// judged by the whole of it, and is not overloaded.
	FallMayBe bool
	// Unobserved accepts that nobody watched OpenBao: what only watching shows takes no part in the verdict.
	Unobserved bool
	// UnobservedGenerators accepts the same of the load generators' containers: their own account of their CPU time has to do.
	UnobservedGenerators bool
}

// DefaultValidity returns the limits used unless told otherwise.
//
// MinAchieved 0.99 is the design's. MaxGeneratorCPU 0.20: the generator shares
// the machine with what it measures, unlike the dedicated load machines behind
// the usual 70 or 80 %. On two CPUs 0.20 is 0.4 core, which leaves the sizing
// table's smallest CPU limit (1 core) and PostgreSQL their share, while the
// largest tier (150 fetches/s at about 0.15 ms each) needs 0.02. MaxDrift 1.5:
// an expiry storm moves the median by far more, noise by far less (a
// storm on OpenBao 2.4.0 and PostgreSQL 15: 5 to 135 ms).
func DefaultValidity() Validity {
	return Validity{MinAchieved: 0.99, MaxGeneratorCPU: 0.20, MaxDrift: 1.5}
}

// The conditions that decide how far latencies can be trusted: a generator short of CPU adds its own delay to them, whether it
// takes the host's or is kept from it, and so does a machine that is too small or busy with something else.
const (
	idGenerator  = "valid/generator-cpu"
	idThrottling = "valid/generator-throttling"
	idRoom       = "valid/host-size"
)

// Checks that others look for by their ID.
const (
	IDHostCrowded = "valid/host-crowded" // other processes took the host's CPUs
	IDWrongValues = "slo/wrong-values"   // fetches were answered with another secret
)

// distortion is why latencies came out longer than the chart's, by the conditions; empty if nothing says so. Conditions that somebody has
// accepted not to know excuse nothing; those of the host, which cost no run its PASS, do excuse a miss.
func distortion(validity []result.Check) string {
	for _, c := range validity {
		switch {
		case c.Verdict == result.Pass:
		case c.ID == IDHostCrowded, c.ID == idRoom, c.Reason == throttlingUnknown, (c.ID == idGenerator || c.ID == idThrottling) && !c.Informational:
			return c.Reason
		}
	}
	return ""
}

// checks evaluates the conditions on a topology with load.
func (v Validity) checks(t *result.Topology) []result.Check {
	l := t.Load
	out := []result.Check{
		check("valid/complete", "the load ran to its end", orElse(l.Partial, "complete"), "complete", l.Partial == "", l.Partial),
		check("valid/dropped-iterations", "arrivals k6 could not start on time", fmt.Sprint(l.Dropped), "0", l.Dropped == 0,
			fmt.Sprintf("%d arrivals were dropped: no VU was free, so the slowest fetches are missing", l.Dropped)),
	}
	cut := l.Extra["interrupted"]
	out = append(out, check("valid/interrupted-fetches", "fetches cut off at the end", num(cut), "0", cut == 0,
		fmt.Sprintf("%s fetches were still running when k6 gave up waiting, so the slowest are missing", num(cut))))

	// The schedule may begin or end one fetch off the whole second, and each stage may.
	slack := 0.0
	if l.MeasuredSeconds > 0 {
		slack = float64(1+len(l.Stages)) / l.MeasuredSeconds
	}
	share := 0.0
	if l.OfferedRate > 0 {
		share = l.AchievedRate / l.OfferedRate
	}
	c := check("valid/achieved-rate", "achieved of the offered rate", percent(share), ">= "+percent(v.MinAchieved),
		l.OfferedRate > 0 && l.AchievedRate+slack >= v.MinAchieved*l.OfferedRate,
		fmt.Sprintf("%s of %s fetches/s were completed", num(l.AchievedRate), num(l.OfferedRate)))
	out = append(out, c)

	c = check(idGenerator, "generator's share of the host's CPUs", percent(l.Generator.CPUShare), "<= "+percent(v.MaxGeneratorCPU),
		l.Generator.CPUShare > 0 && l.Generator.CPUShare <= v.MaxGeneratorCPU,
		fmt.Sprintf("k6 used %s of the host: its own queueing is part of the latencies", percent(l.Generator.CPUShare)))
	c.Headroom = headroom(l.Generator.CPUShare, v.MaxGeneratorCPU)
	if l.Generator.CPUShare <= 0 {
		c.Measured, c.Reason = "unknown", "the generator's CPU time was not recorded"
	}
	watched := []result.Check{observed(t), calm(t, "restart"), calm(t, "leadership"), calm(t, "database")}
	if v.Unobserved {
		for i := range watched {
			watched[i].Informational, watched[i].Verdict = true, result.Inconclusive
			watched[i].Measured, watched[i].Reason = "unknown", "nobody watched OpenBao's pods"
		}
	}
	out = append(append(append(out, c), watched...), v.steady(l)...)
	return append(out, v.observing(t)...)
}

// observed asks whether the OpenBao pods were watched while measuring; without
// that nobody knows about restarts.
func observed(t *result.Topology) result.Check {
	w := t.Load.Measured()
	whole := w.To.Sub(w.From).Seconds()
	best := 0.0
	for i := range t.Resources {
		if t.Resources[i].Component == "openbao" {
			_, covered := t.Resources[i].CPUSeconds(w)
			best = math.Max(best, covered/math.Max(whole, 1e-9))
		}
	}
	return check("valid/observed", "time in which OpenBao was observed", percent(best), ">= 90 %", best >= 0.9,
		"OpenBao's pods were not watched throughout, so restarts may have been missed")
}

// maxNamed is how many events a reason names; the timeline has them all.
const maxNamed = 5

// calm asks that nothing of the given kind happened unplanned under load.
func calm(t *result.Topology, kind string) result.Check {
	w := t.Load.Whole()
	var seen []string
	for _, e := range t.Events {
		oom := kind == "restart" && strings.Contains(e.Detail, "OOM")
		if !e.Planned && w.Contains(e.At) && (e.Kind == kind || oom) {
			seen = append(seen, fmt.Sprintf("%s at %+.0f s", e.Detail, e.At.Sub(w.From).Seconds()))
		}
	}
	title := map[string]string{
		"restart": "unplanned restarts and out-of-memory kills", "leadership": "unplanned changes of the active pod",
		"database": "times in which OpenBao's database stood still",
	}[kind]
	n := len(seen)
	if n > maxNamed {
		seen = append(seen[:maxNamed], fmt.Sprintf("and %d more", n-maxNamed))
	}
	return check("valid/"+kind, title, fmt.Sprint(n), "0", n == 0, strings.Join(seen, "; "))
}

// check builds a validity check; a miss is INCONCLUSIVE, never FAIL.
func check(id, title, measured, limit string, ok bool, reason string) result.Check {
	c := result.Check{ID: id, Kind: "validity", Title: title, Measured: measured, Limit: limit, Verdict: result.Pass}
	if !ok {
		c.Verdict, c.Reason = result.Inconclusive, reason
	}
	return c
}

func headroom(measured, limit float64) float64 {
	if limit <= 0 {
		return 0
	}
	return (limit - measured) / limit
}
