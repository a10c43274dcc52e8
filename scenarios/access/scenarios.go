// Package access holds the scenarios about who may read which secret. Most are rows of tables.
package access

import (
	"slices"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// Scenarios returns the group's scenarios.
func Scenarios() []scenario.Scenario {
	return slices.Concat(
		[]scenario.Scenario{ownSecret(), otherProject(), missingPolicy(), boundedRailsToken(), defaultPolicy()},
		jobRestrictions(), jobCapabilities(), ownerCapabilities(), railsCapabilities(), logins(), relations(), names(),
		values(), changes(), groups(),
	)
}
