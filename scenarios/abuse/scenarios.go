// Package abuse holds the scenarios that try to get in, or to do harm, and must fail.
package abuse

import "gitlab.com/steamer/steamer/harness/scenario"

// Scenarios returns the group's scenarios.
func Scenarios() []scenario.Scenario {
	return []scenario.Scenario{invalidJWT()}
}
