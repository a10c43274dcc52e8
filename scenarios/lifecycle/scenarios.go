// Package lifecycle holds the scenarios about installing, changing and upgrading.
package lifecycle

import "gitlab.com/steamer/steamer/harness/scenario"

// Scenarios returns the group's scenarios. The last two leave another unseal key behind.
func Scenarios() []scenario.Scenario {
	return []scenario.Scenario{
		configChangeKeepsData(),
		valuesOverride(),
		listenerTLS(),
		rollback(),
		rollingUpgrade(),
		rollingUpgradeStandbyFirst(),
		reinstallKeepsData(),
		upgradeFromPrevious(),
		unsealKeyRotation(),
		backupRestore(),
	}
}
