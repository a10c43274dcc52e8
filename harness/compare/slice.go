package compare

import (
	"math"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
)

// steady is the condition that compares the halves of a measurement. Halves of fewer fetches are
// no medians: they differ by chance, and more the slower an arm is.
const (
	steady        = "valid/steady"
	steadyFetches = 400 // in both
)

// turn is slice for one driven by turns. It is too short for halves that could be compared; that
// neighbours are is the point of turns.
func turn(t *result.Topology, v judge.Validity) Slice {
	s := slice(t, v)
	s.Invalid = slices.DeleteFunc(s.Invalid, func(why string) bool { return why == "steady missed" })
	return s
}

// slice takes from an observation what a comparison keeps of it: the load, the resources and the
// events. What else a target may know of the machine is not asked for, so that every target's
// slices are judged by the same conditions.
func slice(seen *result.Topology, v judge.Validity) Slice {
	t := &result.Topology{Load: seen.Load, Resources: seen.Resources, Events: seen.Events}
	l := t.Load
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
		if judge.Overload(c.ID) {
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
