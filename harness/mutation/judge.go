package mutation

import (
	"context"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// Status is what became of a mutant.
type Status string

// The statuses.
const (
	Killed    Status = "killed"    // a scenario that should catch it failed, for the right reason
	Survived  Status = "survived"  // none did
	Explained Status = "explained" // none did, and the mutant says why none can
	Broken    Status = "broken"    // nothing can be said: it could not be tried
)

// Outcome is what became of one mutant.
type Outcome struct {
	Mutant  Mutant  `json:"mutant"`
	Status  Status  `json:"status"`
	By      string  `json:"by,omitempty"`     // the scenario that killed it
	Reason  string  `json:"reason,omitempty"` // that scenario's, or why it is Broken
	Seconds float64 `json:"seconds"`
}

// Sound reports whether the outcome is no call for work.
func (o Outcome) Sound() bool { return o.Status == Killed || o.Status == Explained }

// judge turns the results of the scenarios that ran on a mutant into its outcome.
func judge(m Mutant, results []result.Scenario) Outcome {
	o := Outcome{Mutant: m, Status: Survived}
	ran := 0
	var other string // failure for another reason than the mutant expects
	for _, r := range results {
		if !slices.Contains(m.Caught, r.ID) || r.Status == result.Skipped {
			continue
		}
		ran++
		if r.Status != result.Failed {
			continue
		}
		if m.Because != "" && !strings.Contains(r.Reason+"\n"+strings.Join(r.Log, "\n"), m.Because) {
			other = r.ID + " failed, but not because of " + m.Because + ": " + r.Reason
			continue
		}
		o.Status, o.By, o.Reason = Killed, r.ID, r.Reason
		return o
	}
	switch {
	case ran == 0:
		o.Status, o.Reason = Broken, "none of its scenarios ran"
	case m.Survives != "":
		o.Status, o.Reason = Explained, m.Survives
	default:
		o.Reason = other
	}
	return o
}

// Each tries mutants one after the other and tells report of each outcome. One that cannot be
// tried is Broken and does not keep the others from being tried; the error is ctx's own.
func Each(ctx context.Context, list []Mutant, try func(context.Context, Mutant) (Outcome, error),
	report func(Outcome),
) ([]Outcome, error) {
	var all []Outcome
	for _, m := range list {
		started := time.Now()
		o, err := try(ctx, m)
		if ctx.Err() != nil {
			return all, ctx.Err()
		}
		if err != nil {
			o = Outcome{Mutant: m, Status: Broken, Reason: err.Error(), Seconds: time.Since(started).Seconds()}
		}
		report(o)
		all = append(all, o)
	}
	return all, nil
}
