// Package resilience holds the scenarios about staying available.
package resilience

import "gitlab.com/steamer/steamer/harness/scenario"

// Scenarios returns the group's scenarios.
func Scenarios() []scenario.Scenario {
	return []scenario.Scenario{
		oneActive(), failoverActiveDeleted(), standbyLost(), failoverActiveKilled(), drain(), bothPodsLost(),
		wrongUnsealKey(), databaseRestarted(), databaseStalled(), issuerDown(), issuerKeyRotated(),
	}
}
