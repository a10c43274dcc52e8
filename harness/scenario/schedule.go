package scenario

import (
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/yaml"
)

// Schedule sets what each scenario of a list takes, from a YAML document of seconds by ID. A
// scenario that it does not name gets a default of its kind; an ID of no scenario is an error.
func Schedule(list []Scenario, durations []byte) error {
	var seconds map[string]float64
	if err := yaml.UnmarshalStrict(durations, &seconds); err != nil {
		return err
	}
	for i := range list {
		s := &list[i]
		s.Expected = s.usually()
		if took, ok := seconds[s.ID]; ok {
			s.Expected = time.Duration(took * float64(time.Second))
		}
	}
	for id, took := range seconds {
		if took <= 0 || !slices.ContainsFunc(list, func(s Scenario) bool { return s.ID == id }) {
			return fmt.Errorf("durations: %s: %v s: no such scenario, or no duration", id, took)
		}
	}
	return nil
}

// usually is what a scenario of a kind takes, where that was not recorded.
func (s Scenario) usually() time.Duration {
	switch {
	case s.Kind == Lifecycle:
		return 20 * time.Second
	case s.Kind == Fault:
		return 10 * time.Second
	}
	return time.Second
}

// Work is the part of what a list takes that several installations can share. Those that may run
// side by side on one of them are DefaultParallel at a time.
func Work(list []Scenario) (split time.Duration) {
	for _, s := range list {
		switch {
		case s.Alone != "" || s.Kind == Hygiene:
		case s.Parallel:
			split += s.Expected / DefaultParallel
		default:
			split += s.Expected
		}
	}
	return split
}
