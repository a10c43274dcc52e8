// Command durations writes what the scenarios of recorded runs took, for the file by which shards
// are dealt out: the longest of each that passed, in seconds.
//
//	go run ./hack/durations FILE RESULT.json...
package main

import (
	"fmt"
	"log"
	"maps"
	"os"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/scenarios"
)

// least is from how many seconds on a scenario is listed; shorter ones have the default.
const least = 1.5

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: durations FILE RESULT.json...")
	}
	longest := map[string]float64{}
	for _, path := range os.Args[2:] {
		r, err := result.ReadFile(path)
		if err != nil {
			log.Fatal(err)
		}
		for _, t := range r.Topologies {
			for _, s := range t.Scenarios {
				if s.Status == result.Passed && s.Seconds >= least {
					longest[s.ID] = max(longest[s.ID], s.Seconds)
				}
			}
		}
	}
	known := map[string]bool{}
	for _, s := range scenarios.All() {
		known[s.ID] = true
	}
	var b strings.Builder
	b.WriteString("# Seconds that scenarios took in a recorded run; written by go run ./hack/durations.\n" +
		"# By them shards share the work. What is not here takes the default of its kind.\n")
	for _, id := range slices.Sorted(maps.Keys(longest)) {
		if known[id] {
			fmt.Fprintf(&b, "%s: %.1f\n", id, longest[id])
		}
	}
	if err := os.WriteFile(os.Args[1], []byte(b.String()), 0o644); err != nil {
		log.Fatal(err)
	}
}
