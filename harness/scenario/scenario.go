// Package scenario defines and runs functional checks. A scenario is a data
// literal that says what it protects and what it needs, and a function of about a
// screen; the runner gives it an environment, a time budget and a recorder, and
// turns what happened into a result.
package scenario

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// Kind is the kind of check that a scenario is.
type Kind string

// The kinds. Faults and lifecycle scenarios disturb the environment and so run alone.
const (
	Functional Kind = "functional" // observes what should work
	Abuse      Kind = "abuse"      // observes what should be refused
	Fault      Kind = "fault"      // breaks something and watches the recovery
	Lifecycle  Kind = "lifecycle"  // changes the installation
	Hygiene    Kind = "hygiene"    // searches for leaked secrets
)

// Words that Select takes instead of a regular expression.
const (
	Core = "core" // those that run before every load
	All  = "all"
	None = "none"
)

// Test checks an environment and reports to t.
type Test = func(ctx context.Context, t T, env *Env)

// Scenario is one check.
type Scenario struct {
	ID         string // group/name, e.g. "access/own-secret"; stable, tools refer to it
	Subject    result.Subject
	Title      string        // one sentence: what holds
	Protects   string        // what a user loses when it does not
	Source     string        // where the requirement comes from
	Topologies []string      // where it applies; empty is everywhere
	Features   []Feature     // what it needs
	Rights     []Right       // what it does on a cluster beyond what its features say; see Needs
	Kind       Kind          //
	Core       bool          // takes seconds and runs before every load; the others take minutes, or are very many
	Budget     time.Duration // it fails when it takes longer; more where installations share the machine
	// Parallel scenarios may run beside others on one installation. They are Functional or Abuse,
	// and store no token, since others count those.
	Parallel bool
	// Alone says why nothing else may go on on the cluster meanwhile, on other installations
	// either; empty where that may.
	Alone    string
	Expected time.Duration // what it took when that was recorded; see Schedule
	Test     Test

	needs []Feature // of a row, see Needing
}

// Row is what a scenario of a table has of its own. The ID stands there in full, so that a search
// for it leads to the row.
func Row(id, title string, test Test) Scenario { return Scenario{ID: id, Title: title, Test: test} }

// About returns a row about another subject than the rest of its table.
func About(subject result.Subject, row Scenario) Scenario {
	row.Subject = subject
	return row
}

// Needing returns a row that needs a feature beside those of its table.
func Needing(f Feature, row Scenario) Scenario {
	row.needs = append(row.needs, f)
	return row
}

// Table returns the rows with what they have in common: a field that a row leaves out has the
// value of common. Subject, Protects, Source, Topologies, Features, Rights, Kind, Budget and
// Parallel are such fields.
func Table(common Scenario, rows ...Scenario) []Scenario {
	for i := range rows {
		r := &rows[i]
		r.Protects, r.Source = cmp.Or(r.Protects, common.Protects), cmp.Or(r.Source, common.Source)
		r.Kind, r.Budget = cmp.Or(r.Kind, common.Kind), cmp.Or(r.Budget, common.Budget)
		r.Subject = cmp.Or(r.Subject, common.Subject)
		r.Parallel = r.Parallel || common.Parallel
		if r.Topologies == nil {
			r.Topologies = common.Topologies
		}
		if r.Features == nil {
			r.Features = common.Features
		}
		r.Features, r.needs = slices.Concat(r.Features, r.needs), nil
		if r.Rights == nil {
			r.Rights = common.Rights
		}
	}
	return rows
}

var scenarioID = regexp.MustCompile(`^[a-z]+/[a-z0-9]+(-[a-z0-9]+)*$`)

// Validate reports the first defect of a list of scenarios: missing fields, malformed or repeated
// IDs, unknown subjects and features, a disturbing scenario that claims to run in parallel.
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
		case !slices.Contains(Subjects(), s.Subject):
			return fmt.Errorf("scenario %s: subject %q is none of %s", s.ID, s.Subject, join(Subjects()))
		case s.Budget <= 0:
			return fmt.Errorf("scenario %s: the budget must be positive", s.ID)
		case !slices.Contains([]Kind{Functional, Abuse, Fault, Lifecycle, Hygiene}, s.Kind):
			return fmt.Errorf("scenario %s: unknown kind %q", s.ID, s.Kind)
		case slices.ContainsFunc(s.Features, func(f Feature) bool { return f.Lack() == "" }):
			return fmt.Errorf("scenario %s: unknown feature among %v", s.ID, s.Features)
		case s.Parallel && s.Alone != "":
			return fmt.Errorf("scenario %s: it cannot be both parallel and alone", s.ID)
		case s.Parallel && (s.Kind == Fault || s.Kind == Lifecycle):
			return fmt.Errorf("scenario %s: kind %s disturbs others and must not be parallel", s.ID, s.Kind)
		}
		seen[s.ID] = true
	}
	return nil
}

// Select returns the scenarios whose ID matches the regular expression (RE2, unanchored), in
// order, or those that Core, All or None stand for. A pattern that is malformed or matches nothing
// is an exit.Invalid error.
func Select(list []Scenario, pattern string) ([]Scenario, error) {
	switch pattern {
	case None:
		return nil, nil
	case All:
		return list, nil
	case Core:
		return slices.DeleteFunc(slices.Clone(list), func(s Scenario) bool { return !s.Core }), nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, exit.Invalidf("--scenarios "+pattern, "use core, all, none or RE2 syntax, e.g. --scenarios '^access/'",
			"%w", err)
	}
	selected := slices.DeleteFunc(slices.Clone(list), func(s Scenario) bool { return !re.MatchString(s.ID) })
	if len(selected) == 0 {
		return nil, exit.Invalidf("--scenarios "+pattern, "steamer test --list shows the IDs", "no scenario ID matches")
	}
	return selected, nil
}
