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
	"strings"
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

// Cost says whether a scenario belongs to every run.
type Cost string

// The costs.
const (
	Cheap Cost = ""     // seconds: runs before every load
	Slow  Cost = "slow" // replaces all pods several times, reinstalls, takes minutes, or is one of very many
)

// AllSlow returns the scenarios with the cost Slow.
func AllSlow(lists ...[]Scenario) []Scenario {
	all := slices.Concat(lists...)
	for i := range all {
		all[i].Cost = Slow
	}
	return all
}

// Words that Select takes instead of a regular expression.
const (
	Core = "core" // all but the slow ones
	All  = "all"
	None = "none"
)

// Feature is something an environment has or lacks.
type Feature string

// The features a scenario can need.
const (
	FeatureCluster       Feature = "cluster"       // OpenBao runs as pods of a Kubernetes API we can reach
	FeatureInstaller     Feature = "installer"     // the release may be upgraded
	FeatureNetworkPolicy Feature = "networkpolicy" // the CNI enforces NetworkPolicy
	FeatureDatabase      Feature = "database"      // PostgreSQL's administrator can be had
	FeaturePrevious      Feature = "previous"      // the chart's previous release is known
	FeatureUnsealKey     Feature = "unseal-key"    // the dialect names the Secret with the static unseal key
	FeatureExec          Feature = "exec"          // commands can be run in the pods
	FeatureSignals       Feature = "signals"       // the pods' processes can be sent any signal
	FeatureGitLab        Feature = "gitlab-stub"   // the issuer is the stub, which can be disturbed
	FeatureMetrics       Feature = "metrics"       // the pods serve metrics without a token
	FeatureAudit         Feature = "audit"         // the audit log can be read
	FeatureAuditHTTP     Feature = "audit-http"    // OpenBao has an audit device of type http
	FeatureStack         Feature = "gitlab-api"    // secrets can be managed by GitLab's API
)

// changePrefix marks the features that Changes makes.
const changePrefix = "change:"

// Changes are features that hold where the chart's dialect knows these changes of values.
func Changes(names ...string) []Feature {
	out := make([]Feature, 0, len(names))
	for _, name := range names {
		out = append(out, Feature(changePrefix+name))
	}
	return out
}

// Lack says why a scenario that needs a feature is skipped without it.
func (f Feature) Lack() string {
	switch f {
	case FeatureCluster:
		return "OpenBao does not run on a Kubernetes cluster here"
	case FeatureInstaller:
		return "this environment's release may not be upgraded"
	case FeatureNetworkPolicy:
		return "the cluster's CNI does not enforce NetworkPolicy"
	case FeatureDatabase:
		return "PostgreSQL's administrator cannot be had here"
	case FeaturePrevious:
		return "no previous release of the chart is known; --previous names one"
	case FeatureUnsealKey:
		return "the chart's dialect names no Secret with a static unseal key"
	case FeatureExec:
		return "commands cannot be run in the pods here"
	case FeatureSignals:
		return "the pods' processes cannot be signalled: the cluster admits no pod that sees its node's processes"
	case FeatureGitLab:
		return "the issuer is no stub that could be disturbed"
	case FeatureMetrics:
		return "the chart's dialect names no port that serves metrics without a token"
	case FeatureAudit:
		return "the audit log cannot be read here"
	case FeatureAuditHTTP:
		return "this OpenBao has no HTTP audit device: 2.5 has one"
	case FeatureStack:
		return "no GitLab API is at hand; --gitlab-url names one"
	}
	if change, ok := strings.CutPrefix(string(f), changePrefix); ok {
		return "the chart's dialect knows no values for the change " + change
	}
	return fmt.Sprintf("the environment lacks feature %q", string(f))
}

// Scenario is one check.
type Scenario struct {
	ID         string        // group/name, e.g. "access/own-secret"; stable, tools refer to it
	Title      string        // one sentence: what holds
	Protects   string        // what a user loses when it does not
	Source     string        // where the requirement comes from
	Topologies []string      // where it applies; empty is everywhere
	Features   []Feature     // what it needs
	Rights     []Right       // what it does on a cluster beyond what its features say; see Needs
	Kind       Kind          //
	Cost       Cost          // Slow ones are left out of Core
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

// Select returns the scenarios whose ID matches the regular expression (RE2, unanchored), in order,
// or those that Core, All or None stand for. A pattern that is malformed or matches nothing is an
// exit.Invalid error.
func Select(list []Scenario, pattern string) ([]Scenario, error) {
	switch pattern {
	case None:
		return nil, nil
	case All:
		return list, nil
	case Core:
		return slices.DeleteFunc(slices.Clone(list), func(s Scenario) bool { return s.Cost == Slow }), nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, exit.Invalidf("--scenarios "+pattern, "use core, all, none or RE2 syntax, e.g. --scenarios '^access/'",
			"%w", err)
	}
	selected := slices.DeleteFunc(slices.Clone(list), func(s Scenario) bool { return !re.MatchString(s.ID) })
	if len(selected) == 0 {
		return nil, exit.Invalidf("--scenarios "+pattern, "steamer test --list shows the IDs", "no scenario's ID matches")
	}
	return selected, nil
}
