// Package hygiene holds the scenarios that search for leaked secrets.
package hygiene

import "gitlab.com/steamer/steamer/harness/scenario"

// Scenarios returns the group's scenarios.
func Scenarios() []scenario.Scenario {
	return []scenario.Scenario{noSecretLeaks(), credentialsStayInSecrets(), databaseHoldsCiphertext()}
}
