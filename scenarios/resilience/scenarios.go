// Package resilience holds the scenarios about staying available.
package resilience

import (
	"time"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// Scenarios returns the group's scenarios.
func Scenarios() []scenario.Scenario {
	return scenario.Table(scenario.Scenario{Kind: scenario.Fault, Budget: 6 * time.Minute},
		oneActive(), failoverActiveDeleted(), standbyLost(), failoverActiveKilled(), activeFrozen(),
		standbyForwards(), sameAnswers(), drain(), bothPodsLost(),
		wrongUnsealKey(), wrongDatabaseAuthority(), databaseRestarted(), databaseStalled(), issuerDown(), issuerKeyRotated(),
	)
}
