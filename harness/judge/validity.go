package judge

import (
	"slices"

	"gitlab.com/steamer/steamer/harness/result"
)

// Validity holds the limits within which a measurement says something about the
// chart rather than about the machine that measured it.
type Validity struct {
	// MinAchieved is the least share of the offered rate that must have been completed.
	MinAchieved float64
	// MaxGeneratorCPU is the largest share of all the host's CPUs that k6 may use.
	MaxGeneratorCPU float64
	// MaxDrift is the largest ratio between the median latencies of the two halves of the
	// measurement, and between the ends of a trend in it.
	MaxDrift float64
	// FallMayBe accepts a latency that falls: what is known to begin before everything is warm,
	// such as the short runs of a search, is judged by the whole of it, and is not overloaded.
	FallMayBe bool
	// Unobserved accepts that nobody watched OpenBao: what only watching shows takes no part in
	// the verdict.
	Unobserved bool
	// UnobservedGenerators accepts the same of the load generators' containers: their own account
	// of their CPU time has to do.
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

// Checks that others look for by their ID.
const (
	IDHostCrowded = "valid/host-crowded" // other processes took the host's CPUs
	IDHostStalled = "valid/host-stalled" // the host itself stood still
	IDWrongValues = "slo/wrong-values"   // fetches were answered with another secret
)

// conditions evaluates all validity conditions on a topology with load: those of the machine, then
// those of the subject, which a machine in trouble may have caused.
func (v Validity) conditions(t *result.Topology, run result.Run) []result.Check {
	machine := v.machine(t, run)
	s := circumstances{topology: t, host: run.Host, trouble: distortion(machine)}
	s.watched = slices.ContainsFunc(machine, func(c result.Check) bool { return c.ID == IDHostCrowded })
	out := append(v.carried(&s), machine...)
	if v.Unobserved {
		return append(append(out, unwatched()...), v.steady(&s)...)
	}
	return append(append(out, s.incidents()...), v.steady(&s)...)
}

// check builds a validity check whose miss is INCONCLUSIVE.
func check(id, title, measured, limit string, ok bool, reason string) result.Check {
	c := result.Check{ID: id, Kind: "validity", Title: title, Measured: measured, Limit: limit, Verdict: result.Pass}
	if !ok {
		c.Verdict, c.Reason = result.Inconclusive, reason
	}
	return c
}

// owned names the owner of a check.
func owned(owner string, c result.Check) result.Check {
	c.Owner = owner
	return c
}

func headroom(measured, limit float64) float64 {
	if limit <= 0 {
		return 0
	}
	return (limit - measured) / limit
}
