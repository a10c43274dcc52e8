// Package abuse holds the scenarios that try forbidden requests. Most are rows of tables.
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
