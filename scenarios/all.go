// Package scenarios lists every functional scenario, grouped by what it protects.
// Registration is explicit: a scenario runs because All names its group.
package scenarios

//go:generate go run ../hack/scenarios ../docs/scenarios.md ../docs/mutants.md

import (
	_ "embed"
	"slices"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/abuse"
	"gitlab.com/steamer/steamer/scenarios/access"
	"gitlab.com/steamer/steamer/scenarios/audit"
	"gitlab.com/steamer/steamer/scenarios/config"
	"gitlab.com/steamer/steamer/scenarios/hygiene"
	"gitlab.com/steamer/steamer/scenarios/lifecycle"
	"gitlab.com/steamer/steamer/scenarios/resilience"
	"gitlab.com/steamer/steamer/scenarios/stack"
)

// durations are the seconds that scenarios took, see scenario.Schedule.
//
//go:embed durations.yaml
var durations []byte

// All returns every scenario in the order in which serial ones run. Those that only observe come
// first, those that disturb later, and the search for leaks last, when there is most to search.
func All() []scenario.Scenario {
	all := every()
	if err := scenario.Schedule(all, durations); err != nil {
		panic(err) // a test reads the file as well
	}
	return all
}

func every() []scenario.Scenario {
	return slices.Concat(
		access.Scenarios(),
		abuse.Scenarios(),
		stack.Scenarios(),
		audit.Scenarios(),
		config.Scenarios(),
		resilience.Scenarios(),
		lifecycle.Scenarios(),
		hygiene.Scenarios(),
	)
}
