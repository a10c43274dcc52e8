// Package hygiene holds the scenarios that search for leaked secrets.
package hygiene

import (
	"time"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// Scenarios returns the group's scenarios.
func Scenarios() []scenario.Scenario {
	return scenario.Table(scenario.Scenario{Kind: scenario.Hygiene, Budget: 3 * time.Minute},
		noSecretLeaks(), credentialsStayInSecrets(), databaseHoldsCiphertext(),
	)
}
