// Package lifecycle holds the scenarios about installing, changing and upgrading.
package lifecycle

import (
	"time"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// Scenarios returns the group's scenarios. The last two leave another unseal key behind.
func Scenarios() []scenario.Scenario {
	return scenario.Table(scenario.Scenario{Kind: scenario.Lifecycle, Budget: 10 * time.Minute},
		configChangeKeepsData(), valuesOverride(), listenerTLS(), rollback(), rollingUpgrade(),
		rollingUpgradeStandbyFirst(), reinstallKeepsData(), upgradeFromPrevious(), unsealKeyRotation(), backupRestore(),
	)
}
