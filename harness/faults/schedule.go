// Package faults breaks an OpenBao, of processes or of a chart on a cluster, while clients write,
// read and are granted access, records everything as a history and has package check judge it.
// Each fault leaves a receipt that it took effect.
package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
)

// Schedule is a list of faults, one after the other, each after the recovery from the one before.
type Schedule struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Seed       uint64 `json:"seed"`                // of the workload, too
	Reproduce  string `json:"reproduce,omitempty"` // the command line that drew it
	// Topology is that of the chart on a cluster that the steps are for; "" is processes.
	Topology string `json:"topology,omitempty"`
	Steps    []Step `json:"steps"`
	// Workload is that of the run that the schedule is of; nil is none.
	Workload *Workload `json:"workload,omitempty"`
	Finding  *Finding  `json:"finding,omitempty"`
}

// Workload is what clients do while faults are done.
type Workload struct {
	Ops     int     `json:"ops"`  // at least
	Rate    float64 `json:"rate"` // operations per second, of all clients together
	Clients int     `json:"clients"`
	Tenants int     `json:"tenants"`
	Secrets int     `json:"secrets"`        // of each tenant
	Fetches float64 `json:"load,omitempty"` // per second, by k6 beside the clients
	// Duration is how long faults begin; 0 is until all have been done.
	Duration document.Duration `json:"duration,omitempty,omitzero"`
	Audit    bool              `json:"audit"`
	// PgBouncer is the mode of one between the nodes and PostgreSQL; "" is none.
	PgBouncer string `json:"pgbouncer,omitempty"`
}

// Finding is what a schedule was shrunk to show.
type Finding struct {
	Rules      []string `json:"rules"` // that are violated
	Runs       int      `json:"runs"`
	Reproduced int      `json:"reproduced"` // runs that showed it
	Story      []string `json:"story"`
}

// Step is one fault.
type Step struct {
	Fault  string            `json:"fault"`  // a name of Kinds
	After  document.Duration `json:"after"`  // of load since the recovery from the fault before
	Length document.Duration `json:"length"` // how long it lasts, at least; 0 for one that is over at once
}

var codec = document.Codec[Schedule]{
	APIVersion: "steamer/v1", Kind: "FaultSchedule", Input: "--schedule",
	Hint: "use the schedule.json of a run of steamer faults", Check: checkSchedule,
}

// ReadSchedule reads the file of a schedule. Errors are of code exit.Invalid.
func ReadSchedule(path string) (*Schedule, error) { return codec.ReadFile(path) }

// WriteFile writes the schedule to path.
func (s *Schedule) WriteFile(path string) error { return codec.WriteFile(path, s) }

// Limits of a schedule.
const (
	maxFaults = 100_000
	maxLength = 10 * time.Minute
)

func checkSchedule(s *Schedule) error {
	if len(s.Steps) == 0 || len(s.Steps) > maxFaults {
		return fmt.Errorf("steps: %d faults, want 1 to %d", len(s.Steps), maxFaults)
	}
	for i, step := range s.Steps {
		if !slices.Contains(Kinds(), step.Fault) {
			return exit.Invalidf(fmt.Sprintf("steps[%d]", i), "choose from "+strings.Join(Kinds(), ", "),
				"there is no fault %q", step.Fault)
		}
		if why := (Place{Topology: s.Topology}).lacks(kindOf(step.Fault)); why != "" {
			return fmt.Errorf("steps[%d]: %s: %s", i, step.Fault, why)
		}
		if min(step.After, step.Length) < 0 || max(step.After, step.Length) > document.Duration(maxLength) {
			return fmt.Errorf("steps[%d]: times have to be 0 to %s", i, maxLength)
		}
	}
	return nil
}

// Draw is DrawFor processes of this machine.
func Draw(seed uint64, faults int, names []string) (*Schedule, error) {
	return DrawFor(Place{}, seed, faults, names)
}

// DrawFor draws a schedule from a seed, of some kinds or all that can be done in a place; -NAME
// leaves one out. Each schedule draws its own weights first, so that runs differ in what they are
// made of.
func DrawFor(place Place, seed uint64, faults int, names []string) (*Schedule, error) {
	s := &Schedule{APIVersion: codec.APIVersion, Kind: codec.Kind, Seed: seed, Topology: place.Topology}
	rng := rand.New(rand.NewPCG(seed, 0xfa))
	chosen, err := choose(place, names)
	if err != nil {
		return nil, err
	}
	weights, total := make([]float64, len(chosen)), 0.0
	for i := range weights {
		weights[i] = 0.1 + rng.Float64()
		total += weights[i]
	}
	for range faults {
		at, k := rng.Float64()*total, 0
		for k < len(chosen)-1 && at >= weights[k] {
			at -= weights[k]
			k++
		}
		spread := chosen[k].longest - chosen[k].shortest
		length := chosen[k].shortest
		if spread > 0 {
			length += time.Duration(rng.Int64N(int64(spread))).Round(time.Millisecond)
		}
		s.Steps = append(s.Steps, Step{
			Fault: chosen[k].name, Length: document.Duration(length),
			After: document.Duration(time.Duration(500+rng.IntN(1500)) * time.Millisecond),
		})
	}
	if err := checkSchedule(s); err != nil {
		return nil, exit.Invalidf(fmt.Sprintf("--faults %d", faults), "use 1 to 100000", "%w", err)
	}
	return s, nil
}

// Fits refuses a schedule with a fault that cannot be done in a place.
func (s *Schedule) Fits(place Place) error {
	for i, step := range s.Steps {
		if why := place.lacks(kindOf(step.Fault)); why != "" {
			return exit.Invalidf(fmt.Sprintf("steps[%d]", i), "leave it out", "%s: %s", step.Fault, why)
		}
	}
	return nil
}

// choose are the kinds of some names; all that a place can do where there are none. -NAME takes
// one away.
func choose(place Place, names []string) ([]kind, error) {
	with, without := map[string]bool{}, map[string]bool{}
	for _, name := range names {
		bare, away := strings.CutPrefix(name, "-")
		if !slices.Contains(Kinds(), bare) {
			return nil, exit.Invalidf("--kinds "+name, "choose from "+strings.Join(Kinds(), ", ")+"; -NAME takes one away",
				"there is no such fault")
		}
		if away {
			without[bare] = true
			continue
		}
		with[bare] = true
		if why := place.lacks(kindOf(bare)); why != "" {
			return nil, exit.Invalidf("--kinds "+name, "steamer faults kinds lists what each needs", "%s", why)
		}
	}
	var chosen []kind
	for _, k := range kinds {
		if (len(with) == 0 && !k.named || with[k.name]) && !without[k.name] && place.lacks(k) == "" {
			chosen = append(chosen, k)
		}
	}
	if len(chosen) == 0 {
		return nil, exit.Invalidf("--kinds "+strings.Join(names, ","), "take fewer away", "no fault is left")
	}
	return chosen, nil
}

// String is the schedule as it is printed before it runs.
func (s *Schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d faults, seed %d\n", len(s.Steps), s.Seed)
	for i, step := range s.Steps {
		fmt.Fprintf(&b, "  %3d  after %-6s %-14s", i, time.Duration(step.After), step.Fault)
		if step.Length > 0 {
			fmt.Fprintf(&b, " for %s", time.Duration(step.Length))
		}
		b.WriteString("\n")
	}
	return b.String()
}
