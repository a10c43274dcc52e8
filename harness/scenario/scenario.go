// Package scenario defines and runs functional checks. A scenario is a data
// literal that says what it protects and what it needs, and a function of about a
// screen; the runner gives it an environment, a time budget and a recorder, and
// turns what happened into a result.
package scenario

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Kind says what sort of check a scenario is.
type Kind string

// The kinds. Faults and lifecycle scenarios disturb the environment and so run alone.
const (
	Functional Kind = "functional" // observes what should work
	Abuse      Kind = "abuse"      // observes what should be refused
	Fault      Kind = "fault"      // breaks something and watches the recovery
	Lifecycle  Kind = "lifecycle"  // changes the installation
	Hygiene    Kind = "hygiene"    // looks for what should not be there
)

// Feature is something an environment has or lacks.
type Feature string

// The features a scenario can need.
const (
	FeatureCluster       Feature = "cluster"       // OpenBao runs as pods of a Kubernetes API we can reach
	FeatureInstaller     Feature = "installer"     // the release may be upgraded
	FeatureNetworkPolicy Feature = "networkpolicy" // the CNI enforces NetworkPolicy
)

// lack says why a scenario that needs a feature is skipped without it.
func (f Feature) lack() string {
	switch f {
	case FeatureCluster:
		return "OpenBao does not run on a Kubernetes cluster here"
	case FeatureInstaller:
		return "this environment's release may not be upgraded"
	case FeatureNetworkPolicy:
		return "the cluster's CNI does not enforce NetworkPolicy"
	default:
		return fmt.Sprintf("the environment lacks feature %q", string(f))
	}
}

// Scenario is one check.
type Scenario struct {
	ID         string        // group/name, e.g. "access/own-secret"; stable, tools refer to it
	Title      string        // one sentence: what holds
	Protects   string        // what a user loses when it does not
	Source     string        // where the requirement comes from
	Topologies []string      // where it applies; empty is everywhere
	Features   []Feature     // what it needs
	Kind       Kind          //
	Budget     time.Duration // it fails when it takes longer
	Parallel   bool          // may run beside others; needs a Functional or Abuse kind
	Test       func(ctx context.Context, t T, env *Env)
}

var scenarioID = regexp.MustCompile(`^[a-z]+/[a-z0-9]+(-[a-z0-9]+)*$`)

// Validate reports the first defect of a list of scenarios: missing fields,
// malformed or repeated IDs, a disturbing scenario that claims to run in parallel.
func Validate(list []Scenario) error {
	seen := map[string]bool{}
	for _, s := range list {
		switch {
		case !scenarioID.MatchString(s.ID):
			return fmt.Errorf("scenario %q: the ID must be group/name in lower case", s.ID)
		case seen[s.ID]:
			return fmt.Errorf("scenario %s: the ID occurs twice", s.ID)
		case s.Title == "" || s.Protects == "" || s.Source == "" || s.Test == nil:
			return fmt.Errorf("scenario %s: title, protects, source and test must be set", s.ID)
		case s.Budget <= 0:
			return fmt.Errorf("scenario %s: the budget must be positive", s.ID)
		case !slices.Contains([]Kind{Functional, Abuse, Fault, Lifecycle, Hygiene}, s.Kind):
			return fmt.Errorf("scenario %s: unknown kind %q", s.ID, s.Kind)
		case s.Parallel && (s.Kind == Fault || s.Kind == Lifecycle):
			return fmt.Errorf("scenario %s: kind %s disturbs others and must not be parallel", s.ID, s.Kind)
		}
		seen[s.ID] = true
	}
	return nil
}

// Select returns the scenarios whose ID matches the regular expression (RE2,
// unanchored), in order. A pattern that is malformed or matches nothing is invalid input.
func Select(list []Scenario, pattern string) ([]Scenario, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, exit.Invalidf("--run "+pattern, "use RE2 syntax, e.g. --run '^access/'", "%w", err)
	}
	selected := slices.DeleteFunc(slices.Clone(list), func(s Scenario) bool { return !re.MatchString(s.ID) })
	if len(selected) == 0 {
		return nil, exit.Invalidf("--run "+pattern, "list the scenarios with --list", "no scenario's ID matches")
	}
	return selected, nil
}
