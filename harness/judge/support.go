package judge

import (
	"math"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/stats"
)

// Thresholds are the latency limits in ms by which u could be judged, whose violations have to be
// counted while it is driven: of the entries that match u whatever the versions of chart and
// OpenBao are, each with and without the allowance for the environment, of which the run's own
// share is in ms.
func (s *SLO) Thresholds(u Subject, runLatency float64) []result.Threshold {
	var out []result.Threshold
	if s == nil {
		return nil
	}
	for i, e := range s.Entries {
		if !e.concerns(u) {
			continue
		}
		for _, l := range e.Limits {
			q, ok := quantileOf(l.Metric)
			if !ok || q.allowed == 0 {
				continue
			}
			for _, limit := range []float64{l.Limit, l.Limit + runLatency + s.EnvironmentLatencyOf(i)} {
				if th := (result.Threshold{From: q.from, Limit: limit}); limit > 0 && !slices.Contains(out, th) {
					out = append(out, th)
				}
			}
		}
	}
	return out
}

// concerns reports whether the entry may judge u, whose versions are not known yet.
func (e Entry) concerns(u Subject) bool {
	if e.Vault != "" && u.Vault == "" || e.OpenBao != "" && u.Vault != "" { // of another program
		return false
	}
	e.Chart, e.OpenBao, e.Vault = "", "", ""
	return e.Mismatch(u) == ""
}

// FindUnversioned returns the index of the first entry that may judge u, whatever its versions; -1
// when none does.
func (s *SLO) FindUnversioned(u Subject) int {
	if s == nil {
		return -1
	}
	return slices.IndexFunc(s.Entries, func(e Entry) bool { return e.concerns(u) })
}

// Drive is a load that is planned: a rate in fetches per second for so many seconds, or stages.
type Drive struct {
	Rate, Seconds float64
	Stages        []result.LoadStage
}

// fetches is how many fetches the load has to be judged at least: a schedule may begin and end one
// off the whole second, and so may each stage.
func (d Drive) fetches() float64 {
	n := d.Rate * d.Seconds
	if len(d.Stages) > 0 {
		n = 0
		for _, s := range d.Stages {
			if !s.Excursion {
				n += s.Seconds * (s.From + s.To) / 2
			}
		}
	}
	return math.Max(0, n-float64(1+len(d.Stages)))
}

// burst is how many fetches an unseen burst has.
func (d Drive) burst() float64 { return math.Max(1, unseenBurst*busyRate(d.Stages, d.Rate)) }

// Support is what a load can say of one objective before it is driven.
type Support struct {
	Limit     Limit
	Allowed   float64 // share of fetches that may be above the limit, or fail; 0 for a mean
	Decidable bool    // the load is long enough to hold the objective
	// Needs is how long the load has to be to hold it, where no fetch is above the limit; rounded
	// up to 10 s. With stages, all of them together in proportion.
	Needs time.Duration
	// Passable is the share of fetches above the limit with which the load still holds the
	// objective, where they come one by one; more in bursts do not. 0 for a mean.
	Passable float64
}

// leastMean is how long a load has to be for a mean: two blocks for every unseen burst, see
// stats.MeanOf.
const leastMean = 10 * time.Second

// Supports says of the objectives of an entry that fetches decide whether a load can hold them, in
// the order of the entry.
func (e Entry) Supports(d Drive) []Support {
	var out []Support
	for _, l := range e.Limits {
		q, isLatency := quantileOf(l.Metric)
		s := Support{Limit: l, Allowed: q.allowed}
		switch {
		case isLatency && q.allowed == 0:
			s.Needs = leastMean
			s.Decidable = d.Seconds >= leastMean.Seconds()
			out = append(out, s)
			continue
		case isLatency:
		case (l.Metric == errorRate || l.Metric == attemptErrors) && l.Limit > 0 && l.Limit < 1:
			s.Allowed = l.Limit
		default:
			continue
		}
		n, burst := d.fetches(), d.burst()
		need := stats.NoneNeeds(s.Allowed, levels().Upper) * burst
		s.Decidable = n >= need
		if n > 0 {
			perSecond := (n + float64(1+len(d.Stages))) / d.Seconds
			tens := math.Ceil((need + float64(1+len(d.Stages))) / perSecond / 10)
			s.Needs = time.Duration(tens) * 10 * time.Second
		}
		if s.Decidable {
			s.Passable = passable(n, burst, s.Allowed)
		}
		out = append(out, s)
	}
	return out
}

// passable is the largest share of n fetches whose upper bound is still allowed.
func passable(n, burst, allowed float64) float64 {
	low, high := 0.0, math.Floor(n*allowed)
	for low < high {
		middle := math.Ceil((low + high) / 2)
		if stats.SpreadBound(middle, n, burst, levels().Upper) <= allowed {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low / n
}

// IsObjectiveOfFetches reports whether a metric is one that a profile may leave undecided: a
// latency, or a share of fetches that failed.
func IsObjectiveOfFetches(metric string) bool {
	_, isLatency := quantileOf(metric)
	return isLatency || metric == errorRate || metric == attemptErrors
}
