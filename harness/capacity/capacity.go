// Package capacity finds the highest rate of fetches at which an environment still holds its
// objectives: it brackets it by doubling, narrows it by bisection with short runs, and confirms
// the candidate with several longer ones. It says what was saturated beyond it, and why it thinks
// so.
package capacity

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target"
)

// Options say how to search. See Default for the numbers.
type Options struct {
	Mode          string        // way to fetch, one of load.Modes
	Reuse         bool          // keep connections
	Tier          string        // whose objectives to hold
	SLO           *judge.SLO    // objectives
	Start         float64       // first rate, fetches per second
	Max           float64       // highest rate to try
	Resolution    float64       // the bisection ends when the bracket is narrower than this, e.g. 0.1 for 10 %
	Warmup        time.Duration // of each run
	Trial         time.Duration // measured length of a run of the search
	Confirm       time.Duration // measured length of a confirmation
	Confirmations int           // 3 or more
	AtLeast       float64       // FAIL when the capacity is below this; 0 asks for nothing
	HostCPUs      int
	Progress      func(Point)           // after each run; may be nil
	Interval      func(result.Interval) // after each second of load; may be nil
}

// Default returns the options that the command starts with: 10 s runs after 3 s of warm-up narrow
// the bracket to 10 %, and three runs of 30 s confirm it.
func Default() Options {
	return Options{
		Mode: load.Inline, Tier: "150", Start: 50, Max: 12800, Resolution: 0.1,
		Warmup: 3 * time.Second, Trial: 10 * time.Second, Confirm: 30 * time.Second, Confirmations: 3,
	}
}

// Validate refuses options that make no sense, with exit.Invalid.
func (o Options) Validate() error {
	if _, err := load.TierNamed(o.Tier); err != nil {
		return err
	}
	bad := func(flag, hint string, format string, args ...any) error {
		return exit.Invalidf(flag, hint, format, args...)
	}
	switch {
	case !(o.Start >= 1) || !(o.Max >= o.Start) || o.Max > 100_000:
		return bad("--start, --max", "use 1 <= start <= max <= 100000 fetches per second", "start %g, max %g", o.Start, o.Max)
	case !(o.Resolution >= 0.01 && o.Resolution <= 0.5):
		return bad("--resolution", "use 0.01 to 0.5", "%g is out of range", o.Resolution)
	case o.Warmup < time.Second || o.Trial < 10*time.Second || o.Confirm < o.Trial || o.Confirm > time.Hour:
		return bad("--warmup, --trial, --confirm",
			"use a warm-up from 1s, trials from 10s, and confirmations no shorter, up to 1h",
			"warm-up %s, trial %s, confirmation %s", o.Warmup, o.Trial, o.Confirm)
	case o.Confirmations < 3 || o.Confirmations > 100:
		return bad("--confirmations", "use 3 to 100", "%d is out of range", o.Confirmations)
	case !(o.AtLeast >= 0) || math.IsInf(o.AtLeast, 0):
		return bad("--at-least", "use a rate of 0 or more", "%g is no rate", o.AtLeast)
	case o.SLO == nil:
		return bad("--slo", "name an SLO file", "there are no objectives to hold")
	}
	profile := o.profile("capacity", o.Start, o.Trial)
	return profile.Validate()
}

// minFetches is how many fetches a run has at least, so that its mean can be judged (see gate).
const minFetches = 120

// profile is the load of one run.
func (o Options) profile(name string, rate float64, length time.Duration) load.Profile {
	length = max(length, time.Duration(minFetches/rate*float64(time.Second)).Round(time.Second))
	return load.Profile{
		APIVersion: result.APIVersion, Kind: "Profile", Name: name, Workload: "fetch", Mode: o.Mode,
		Warmup: document.Duration(o.Warmup), Duration: document.Duration(length), Rate: load.Rate{PerSecond: rate},
		Connections: load.Connections{Reuse: o.Reuse},
	}
}

// Search finds the capacity of a target that has tenants. The report is whole as far as the search
// came, also beside an error.
func Search(ctx context.Context, t target.Target, o Options) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &search{Options: o, target: t, report: newReport(o)}
	err := s.run(ctx)
	s.report.finish(o, ctx.Err() != nil, err)
	return s.report, err
}

// errGenerator ends a search in which the generator came first.
var errGenerator = errors.New("the load generator was saturated before the server")

// errWrong ends a search at once.
var errWrong = errors.New("a fetch got a wrong value")

// invalidError ends a search that cannot say anything.
type invalidError struct{ reason string }

func (e invalidError) Error() string { return e.reason }

// PerSecond prints a rate of fetches with up to one decimal.
func PerSecond(rate float64) string { return fmt.Sprintf("%g/s", math.Round(rate*10)/10) }
