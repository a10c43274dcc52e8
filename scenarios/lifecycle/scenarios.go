// Package lifecycle holds the scenarios about installing, changing and upgrading.
package lifecycle

import "gitlab.com/steamer/steamer/harness/scenario"

// Scenarios returns the group's scenarios.
func Scenarios() []scenario.Scenario {
	return []scenario.Scenario{configChangeKeepsData()}
}
