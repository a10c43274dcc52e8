// Package config holds the scenarios about what is really running: the configuration, the doors
// that are open, what the pods may do, and whether labels, Services, probes and metrics agree with
// the state.
package config

import (
	"time"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// Whom the group protects.
const (
	operators = "operators, who go by what the chart says"
	scrapers  = "whoever is to be woken by an alert"
	intruders = "the instance from whoever reaches a port, or gets into a pod"
)

// Scenarios returns the group's scenarios.
func Scenarios() []scenario.Scenario {
	all := []scenario.Scenario{
		rendered(), noUnknownFields(), selfInitialised(),
		healthCodes(), probes(), serviceRoles(), portsInside(),
		metricsNames(), metricsBounded(), metricsNeedToken(),
		rights(), hardened(), resources(),
		databaseTLS(), databaseConnections(), oneLock(), webInterface(),
	}
	for _, d := range doors() {
		all = append(all, d.scenario())
	}
	return all
}

// looking is a scenario that only looks at a cluster.
func looking(s scenario.Scenario) scenario.Scenario {
	s.Kind, s.Cost, s.Parallel = scenario.Functional, scenario.Slow, true
	if s.Budget == 0 {
		s.Budget = time.Minute
	}
	if len(s.Features) == 0 {
		s.Features = []scenario.Feature{scenario.FeatureCluster}
	}
	return s
}
