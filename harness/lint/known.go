package lint

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// Known is a failure of a scenario about the chart that somebody has accepted for a while.
type Known struct {
	ID       string `json:"id"`                 // of the scenario
	Topology string `json:"topology,omitempty"` // where it fails; empty: wherever it runs
	Says     string `json:"says"`               // part of the failure's text; numbers do not count
	Acceptance
}

// String names the entry.
func (k Known) String() string {
	if k.Topology == "" {
		return "scenario " + k.ID
	}
	return "scenario " + k.ID + " on " + k.Topology
}

// On says whether the entry is about a scenario on a topology.
func (k Known) On(topology string, s result.Scenario) bool {
	return k.ID == s.ID && (k.Topology == "" || k.Topology == topology)
}

// leastSaid is the shortest text of an entry, in bytes: a shorter one would stand in failures of
// any kind.
const leastSaid = 16

// neverKnown are groups of scenarios whose failures cannot be accepted: they say that somebody
// reads what is not theirs.
var neverKnown = []string{"abuse", "access", "hygiene"}

// refusal is why the entry cannot be taken, with a hint; nil for one that can.
func (k Known) refusal() (hint string, err error) {
	group, name, _ := strings.Cut(k.ID, "/")
	switch {
	case name == "":
		return "steamer test --list lists the scenarios", errors.New("an ID has the form group/name")
	case slices.Contains(neverKnown, group):
		return "fix the failure", fmt.Errorf("failures of group %s cannot be accepted: they say that somebody reads "+
			"what is not theirs", group)
	case len(constant(k.Says)) < leastSaid:
		return "copy from the failure what it says of its cause; numbers may differ", fmt.Errorf("says has less than "+
			"%d characters: it could stand in any failure", leastSaid)
	}
	return "", nil
}

// constant is a text without what differs from run to run: numbers and spaces.
func constant(text string) string {
	return numbers.ReplaceAllString(strings.Join(strings.Fields(text), " "), "#")
}

// Failure is the entry that accepts the failure of a scenario on a topology; nil for none.
func (b *Baseline) Failure(topology string, s result.Scenario) *Known {
	for i, k := range b.Scenarios {
		if s.Status == result.Failed && k.On(topology, s) && strings.Contains(constant(s.Reason), constant(k.Says)) {
			return &b.Scenarios[i]
		}
	}
	return nil
}

// checkKnown refuses, as of now, an entry that accepts too much, or that stands twice.
func (b *Baseline) checkKnown(now time.Time) error {
	seen := map[Known]bool{}
	for i, k := range b.Scenarios {
		what := Known{ID: k.ID, Topology: k.Topology, Says: constant(k.Says)}
		hint, err := k.refusal()
		switch {
		case err != nil:
		case seen[what]:
			hint, err = "name each failure once", errors.New("it stands twice")
		default:
			hint, err = "fix the failure, or have its owner accept it again: reason, owner and a new date", k.Check(now)
		}
		if err != nil {
			return exit.Invalidf(fmt.Sprintf("scenarios[%d], %q", i, k.ID), hint, "%w", err)
		}
		seen[what] = true
	}
	return nil
}
