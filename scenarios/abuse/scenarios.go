// Package abuse holds the scenarios in which somebody tries what they may not. Most are rows of
// tables: a row is a scenario.
package abuse

import (
	"slices"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// Scenarios returns the group's scenarios.
func Scenarios() []scenario.Scenario {
	return slices.Concat(core(tokens()), scenario.AllSlow(requests(), []scenario.Scenario{flood(), lease(), cubbyhole()}))
}

// coreTokens are the forgeries that every run tries: one of each kind that a role or a verifier has
// to refuse.
var coreTokens = []string{
	"expired", "not-yet-valid", "audience-wrong", "issuer-wrong", "scope-of-user", "project-wrong",
	"unsigned", "hmac-public-key", "other-key", "other-key-true-id",
}

// core keeps the core tokens in the core suite and marks the others slow.
func core(list []scenario.Scenario) []scenario.Scenario {
	for i := range list {
		if !slices.ContainsFunc(coreTokens, func(name string) bool { return list[i].ID == "abuse/token-"+name }) {
			list[i].Cost = scenario.Slow
		}
	}
	return list
}
