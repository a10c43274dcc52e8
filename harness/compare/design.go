package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/stats"
)

// DefaultMargin is by how much a metric that decides may be larger with B, unless told otherwise.
// It is half of the 10 % that a comparison has to find: a regression as large as the margin is not
// detected, by design.
const DefaultMargin = 0.05

// TailMargin is the same for p95, which two cores measure with 2 to 4 times the noise of the
// median: with this margin equals pass as soon as by the other metrics, see docs/method.md.
const TailMargin = 0.25

// minBeyond is how many fetches of a slice have to lie beyond a quantile. A quantile of fewer is a
// matter of single fetches. It need not be more, because the pair is the unit: what a slice leaves
// to chance is in the noise of the pairs.
const minBeyond = 10

// fetchesFor is how many fetches of a slice a latency takes before it may decide; 0 for everything
// else.
func fetchesFor(metric string) int64 {
	beyond := map[string]float64{"mean": 1, "p50": 0.5, "p90": 0.1, "p95": 0.05, "p99": 0.01}
	name, latency := strings.CutPrefix(metric, "fetch_")
	share, known := beyond[strings.TrimSuffix(strings.TrimPrefix(name, "actual_"), "_ms")]
	if !known || !latency {
		return 0
	}
	return int64(math.Round(minBeyond / share))
}

// DefaultDesign is a comparison of up to 60 pairs, about 15 minutes, whose first interim analysis
// comes after 12. Two cores carry 60 fetches/s of two systems steadily, slices of 5 s make
// neighbours in time of A and B, and 300 fetches are enough for a median and put 15 beyond p95:
// docs/method.md has what that was measured to see.
func DefaultDesign() Design {
	d := Design{
		Profile: "slice", Mode: load.Inline, Rate: 60, Slice: 5, Warmup: 1, Idle: 0.1, Tenants: 20, Secrets: 2,
		Alpha: 0.05, InterimEvery: 12, MaxPairs: 60, Budget: 30 * 60, Seed: 1,
	}
	d.GateMetrics = DefaultGate(DefaultMargin)
	return d
}

// Limits of a design; beyond them a typing error is likelier than a wish.
const (
	minSlice  = 2.0    // seconds: the validity conditions compare two halves
	minTurn   = 1.0    // seconds, by turns: k6 has no shorter ones
	maxSlice  = 3600.0 // seconds
	maxPairs  = 1000
	maxMargin = 10.0 // 1000 %
)

// Check refuses designs that cannot be carried out or judged; the error is of code exit.Invalid.
func (d Design) Check() error {
	bad := func(flag, hint, format string, args ...any) error { return exit.Invalidf(flag, hint, format, args...) }
	if err := (stats.Interims{Alpha: d.Alpha, Every: d.InterimEvery, Max: d.MaxPairs}).Check(); err != nil {
		return bad("--alpha, --interim-every, --pairs", "the defaults are 0.05, 12 and 60", "%w", err)
	}
	switch {
	case d.MaxPairs < MinPairs || d.MaxPairs > maxPairs || d.MaxPairs%2 != 0:
		return bad(fmt.Sprintf("--pairs %d", d.MaxPairs), fmt.Sprintf("use an even number from %d to %d", MinPairs, maxPairs),
			"blocks have two pairs, and %d are the least that say anything", MinPairs)
	case d.InterimEvery < MinPairs || d.InterimEvery%2 != 0:
		return bad(fmt.Sprintf("--interim-every %d", d.InterimEvery), fmt.Sprintf("use an even number from %d on", MinPairs),
			"an interim analysis of fewer pairs cannot decide")
	case !(d.Slice >= d.minSlice() && d.Slice <= maxSlice):
		return bad(fmt.Sprintf("--slice %gs", d.Slice), fmt.Sprintf("use %gs to %gs", d.minSlice(), maxSlice),
			"it is out of range")
	case d.Turns && !(d.Idle >= minTurnGap):
		return bad(fmt.Sprintf("--idle %gs", d.Idle), fmt.Sprintf("use %gs or more", minTurnGap),
			"by turns, answers that are on their way would run into the other's slice")
	case !(d.Warmup <= maxSlice) || !load.ValidWarmup(time.Duration(d.Warmup*float64(time.Second))):
		return bad(fmt.Sprintf("--warmup %gs", d.Warmup), fmt.Sprintf("use 0s, or 1s to %gs", maxSlice), "it is out of range")
	case !(d.Idle >= 0 && d.Idle <= maxSlice) || !(d.Budget >= 0) ||
		math.IsInf(d.Budget, 0):
		return bad("--idle, --budget", "use durations from 0s on", "%g, %g s: out of range", d.Idle, d.Budget)
	case !(d.Rate > 0 && d.Rate <= 100000):
		return bad(fmt.Sprintf("--rate %g", d.Rate), "use more than 0 and at most 100000 fetches per second",
			"it is out of range")
	case d.Tenants < 1 || d.Tenants > 10000 || d.Secrets < 1 || d.Secrets > 100:
		return bad(fmt.Sprintf("--tenants %d --secrets %d", d.Tenants, d.Secrets), "use 1 to 10000 and 1 to 100",
			"out of range")
	case !slices.Contains(load.Modes(), d.Mode):
		return bad("--mode "+d.Mode, "use one of "+strings.Join(load.Modes(), ", "), "there is no such way to fetch")
	}
	if _, err := d.Recipes(); err != nil {
		return err
	}
	return d.checkGate()
}

func (d Design) minSlice() float64 {
	if d.Turns {
		return minTurn
	}
	return minSlice
}

func (d Design) checkGate() error {
	if len(d.GateMetrics) == 0 || len(d.GateMetrics) > MaxGateMetrics {
		return exit.Invalidf("--gate", fmt.Sprintf("name 1 to %d metrics", MaxGateMetrics), "%d metrics are to decide",
			len(d.GateMetrics))
	}
	seen := map[string]bool{}
	for _, g := range d.GateMetrics {
		if !slices.Contains(Recorded(), g.Name) || seen[g.Name] {
			return exit.Invalidf("--gate "+g.Name, "use each of these at most once: "+strings.Join(Recorded(), ", "),
				"no such metric, or named twice")
		}
		seen[g.Name] = true
		if !(g.Margin >= 0 && g.Margin <= maxMargin) {
			return exit.Invalidf(fmt.Sprintf("--margin %g", 100*g.Margin), "use 0 to 1000, in %", "it is out of range")
		}
	}
	return nil
}

// CheckTails refuses a design whose slices put too few fetches beyond a quantile that is to
// decide; the error is of code exit.Invalid.
func (d Design) CheckTails() error {
	for _, g := range d.GateMetrics {
		if have, need := int64(d.Rate*d.Slice), fetchesFor(g.Name); have < need {
			return exit.Invalidf("--gate "+g.Name,
				fmt.Sprintf("use longer slices (--slice) or a higher --rate: together %d fetches a slice", need),
				"a slice has %d fetches, too few for it to decide", have)
		}
	}
	return nil
}

// profile is the load of one slice.
func (d Design) profile() load.Profile {
	return load.Profile{
		APIVersion: "steamer/v1", Kind: "Profile", Name: d.Profile, Workload: "fetch", Mode: d.Mode,
		Warmup: seconds(d.Warmup), Duration: seconds(d.Slice), Rate: load.Rate{PerSecond: d.Rate},
		Connections: load.Connections{Reuse: d.Reuse},
	}
}

func seconds(s float64) document.Duration { return document.Duration(duration(s)) }

func duration(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Recipes are those by which the tenants of both sides are provisioned, in turn; errors are of
// code exit.Invalid.
func (d Design) Recipes() ([]*gitlab.Recipe, error) {
	id, batch := d.Recipe, d.BatchTokens
	list, err := gitlab.Recipes()
	if err != nil {
		return nil, err
	}
	if id != "" {
		var known []string
		for _, r := range list {
			known = append(known, r.ID)
		}
		i := slices.Index(known, id)
		if i < 0 {
			return nil, exit.Invalidf("--recipe "+id, "use one of "+strings.Join(known, ", ")+", or none for all in turn",
				"there is no such recipe")
		}
		list = list[i : i+1]
	}
	for _, r := range list {
		if batch && !r.SetTokens("batch", 0) {
			return nil, exit.Invalidf("--batch-tokens", "add --recipe two-level-jwt",
				"recipe %s has no role that says what tokens it gives", r.ID)
		}
	}
	return list, nil
}
