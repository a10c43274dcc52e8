// Package abuse holds the scenarios in which somebody tries what they may not. Most are rows of
// tables: a row is a scenario.
package abuse

import (
	"slices"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// Scenarios returns the group's scenarios.
func Scenarios() []scenario.Scenario {
	return slices.Concat(
		tokenClaims(), tokenForgeries(), requestHeaders(), requestPaths(), requestBodies(),
		[]scenario.Scenario{floodOfRefusedLogins(), leaseInline(), cubbyholeInline()},
	)
}
