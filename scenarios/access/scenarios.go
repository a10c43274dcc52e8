// Package access holds the scenarios that say who may read which secret.
package access

import "gitlab.com/steamer/steamer/harness/scenario"

// Scenarios returns the group's scenarios.
func Scenarios() []scenario.Scenario {
	return []scenario.Scenario{ownSecret(), otherProject(), missingPolicy()}
}
