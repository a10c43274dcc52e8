package mutation

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// Status is what became of a mutant.
type Status string

// The statuses.
const (
	Killed    Status = "killed"    // a scenario that should catch it failed, for the right reason
	Survived  Status = "survived"  // none did
	Explained Status = "explained" // none did, and the mutant says why none can
	Broken    Status = "broken"    // nothing can be said: it could not be tried
	Skipped   Status = "skipped"   // this server lacks what the mutant's scenarios need, as the mutant says
)

// Outcome is what became of one mutant.
type Outcome struct {
	Mutant  Mutant  `json:"mutant"`
	Status  Status  `json:"status"`
	By      string  `json:"by,omitempty"`     // the scenario or rule that killed it
	Reason  string  `json:"reason,omitempty"` // that scenario's, or why it is Broken or Skipped
	Seconds float64 `json:"seconds"`

	environment bool // Broken by the machine or the cluster, not by the mutant: another try may say more
}

// Repeatable reports whether the machine or the cluster kept the mutant from being tried, so that
// another cluster may say more.
func (o Outcome) Repeatable() bool { return o.environment }

// Sound reports whether the outcome is no call for work.
func (o Outcome) Sound() bool {
	return o.Status == Killed || o.Status == Explained || o.Status == Skipped
}

// judge turns the results of the scenarios that ran on a mutant into its outcome.
func judge(m Mutant, results []result.Scenario) Outcome {
	o := Outcome{Mutant: m, Status: Survived}
	ran := 0
	var other string // failure for another reason than the mutant expects
	var lacking, untried string
	for _, r := range results {
		if !slices.Contains(m.Caught, r.ID) {
			if r.Status == result.Failed && (r.ID == install || r.ID == provision) {
				lacking = r.ID + " failed before: " + r.Reason
			}
			continue
		}
		if r.Status == result.Skipped {
			if lacking = r.Reason; r.Untried {
				untried = r.ID + " could not be judged: " + r.Reason
			}
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
	case ran == 0 && m.Needs != "" && lacking == scenario.Feature(m.Needs).Lack():
		o.Status, o.Reason = Skipped, lacking
	case untried != "":
		o.Status, o.Reason, o.environment = Broken, untried, true
	case ran == 0:
		o.Status, o.Reason = Broken, strings.TrimSuffix("none of its scenarios ran: "+lacking, ": ")
	case m.Survives != "":
		o.Status, o.Reason = Explained, m.Survives
	default:
		o.Reason = other
	}
	return o
}

// Try tries one mutant.
type Try func(context.Context, Mutant) (Outcome, error)

// Each tries mutants and tells report of each outcome, one at a time. Every element of tries takes
// the next mutant when it is done with one, so several are tried side by side; the outcomes have
// the order of list. One that cannot be tried is Broken and does not keep the others from being
// tried; the error is ctx's own, beside the outcomes of those that were tried.
func Each(ctx context.Context, list []Mutant, tries []Try, report func(Outcome)) ([]Outcome, error) {
	all := make([]*Outcome, len(list))
	next := make(chan int, len(list))
	for i := range list {
		next <- i
	}
	close(next)
	var telling sync.Mutex
	var workers sync.WaitGroup
	for _, try := range tries {
		workers.Go(func() {
			for i := range next {
				o, ok := one(ctx, list[i], try)
				if !ok {
					return
				}
				telling.Lock()
				all[i] = &o
				report(o)
				telling.Unlock()
			}
		})
	}
	workers.Wait()
	var tried []Outcome
	for _, o := range all {
		if o != nil {
			tried = append(tried, *o)
		}
	}
	return tried, ctx.Err()
}

// one tries a mutant; not ok is an outcome that ctx's end made.
func one(ctx context.Context, m Mutant, try Try) (o Outcome, ok bool) {
	if ctx.Err() != nil {
		return o, false
	}
	started := time.Now()
	o, err := try(ctx, m)
	if err != nil {
		o = Outcome{
			Mutant: m, Status: Broken, Reason: err.Error(), Seconds: time.Since(started).Seconds(),
			environment: exit.CodeOf(err) == exit.Environment,
		}
	}
	return o, ctx.Err() == nil
}
