// Package config holds the scenarios about what is really running: the configuration, the exposed
// endpoints, the rights of the pods, and whether labels, Services, probes and metrics agree with
// the state.
package config

import (
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// Whom the group protects.
const (
	operators = "operators, who rely on the configuration that the chart renders"
	scrapers  = "operators, who rely on alerts"
	intruders = "the instance from anyone who can reach a port or get into a pod"
)

// Scenarios returns the group's scenarios.
func Scenarios() []scenario.Scenario {
	observing := scenario.Scenario{Kind: scenario.Functional, Budget: time.Minute, Parallel: true}
	return slices.Concat(
		scenario.Table(observing,
			runningAsRendered(), noUnknownFields(), selfInitialised(), healthCodes(), probesAgree(), servicesByRole(),
			metricsPortStaysInside(), metricsPresent(), metricsBounded(), metricsNeedToken(), serviceAccountRights(),
			processHardened(), resourcesSet(), databaseTLS()),
		[]scenario.Scenario{databaseConnections(), networkPolicyHolds()},
		scenario.Table(observing, oneLock(), doorWebInterface()),
		doors(),
	)
}
