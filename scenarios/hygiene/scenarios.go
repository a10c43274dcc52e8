// Package hygiene holds the scenarios that look for what should not be there.
package hygiene

import "gitlab.com/steamer/steamer/harness/scenario"

// Scenarios returns the group's scenarios.
func Scenarios() []scenario.Scenario {
	return []scenario.Scenario{noSecretLeaks(), credentialsStayInSecrets(), databaseHoldsCiphertext()}
}
