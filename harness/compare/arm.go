package compare

import (
	"context"
	"math"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
)

// Arm is one of the two systems. A comparison drives one at a time.
type Arm interface {
	// Prepare brings the system up and provisions it. After an error Close still has to be called.
	Prepare(ctx context.Context) error
	// Subject says what the system is; valid after Prepare.
	Subject() Subject
	// Drive puts a load on the system, and returns what it saw of it. name tells slices apart in
	// file names.
	Drive(ctx context.Context, name string, p load.Profile, rate float64) (Measurement, error)
	// Close removes everything Prepare made. It may be called twice.
	Close(ctx context.Context) error
}

// Measurement is what one slice showed.
type Measurement struct {
	Load      *result.Load
	Resources []result.ResourceSeries // of OpenBao and PostgreSQL, covering the slice
	Events    []result.Event          // restarts and changes of leadership during it
}

// overloadChecks are the validity conditions that an arm misses because it does
// not carry the load: they are compared as an outcome.
func overloadChecks() []string {
	return []string{"valid/dropped-iterations", "valid/achieved-rate", "valid/interrupted-fetches", "valid/drain"}
}

// steady is the condition that compares the halves of a measurement. Halves of fewer fetches are no
// medians: they differ by chance, and more the slower an arm is.
const (
	steady        = "valid/steady"
	steadyFetches = 400 // in both
)

// turn is slice for one driven by turns. It is too short for halves that could be compared; that
// neighbours are is the point of turns.
func (m Measurement) turn(v judge.Validity) Slice {
	s := m.slice(v)
	s.Invalid = slices.DeleteFunc(s.Invalid, func(why string) bool { return why == "steady missed" })
	return s
}

// slice turns a measurement into what a comparison keeps of it.
func (m Measurement) slice(v judge.Validity) Slice {
	t := &result.Topology{Load: m.Load, Resources: m.Resources, Events: m.Events}
	l := m.Load
	s := Slice{
		Start: l.Start, Fetches: l.Fetches, Failed: l.Failed, Dropped: l.Dropped, Achieved: l.Achieved(),
		Values: map[string]float64{},
	}
	for _, iv := range l.Series {
		s.Wrong += iv.Wrong
	}
	saturated := false
	for _, c := range v.Conditions(t) {
		if c.Verdict == result.Pass || c.ID == steady && l.Fetches < steadyFetches {
			continue
		}
		saturated = saturated || c.ID == "valid/generator-cpu"
		if slices.Contains(overloadChecks(), c.ID) {
			s.Overload = strings.TrimPrefix(c.ID, "valid/") + " missed"
			continue
		}
		s.Invalid = append(s.Invalid, strings.TrimPrefix(c.ID, "valid/")+" missed")
	}
	if saturated { // then it is the generator that did not keep up
		s.Overload = ""
	}
	for _, name := range Recorded() {
		r, err := judge.Read(name, t)
		if err == nil && r.Missing == "" && r.Value >= 0 && !math.IsInf(r.Value, 1) { // what is not a number is missing
			s.Values[name] = r.Value
		}
	}
	return s
}
