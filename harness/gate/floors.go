package gate

import (
	"fmt"
	"strings"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/steps"
)

// floors are the shares of each group of scenarios, 0 to 1, that have to have passed at least once
// over all runs in a topology. A scenario may be skipped for a reason that a chart, its dialect or
// the cluster declares; the floor says how much may be. It follows from what scenarios need
// (docs/scenarios.md) and from the shipped dialects: a test holds both against it.
//
//   - access, abuse: they need OpenBao only, so that all have to pass.
//   - audit: 2 of 12 need the HTTP audit device of OpenBao 2.5.
//   - config: 1 of 31 needs the other topology, 3 need metrics without a token.
//   - resilience: of 11, 2 need signals, which an existing cluster may not admit, 1 a
//     PodDisruptionBudget, 1 an unseal key and metrics.
//   - lifecycle: the community chart, whose configuration no overlay can edit, can do 3 of 10
//     without a previous release.
//   - stack: it is GitLab's API that they try, not the chart.
//   - hygiene has a criterion of its own, for which each scan has to pass.
//
// A group that is not named has otherFloor.
var floors = map[string]float64{
	"access": 1, "abuse": 1, "audit": 0.84, "config": 0.9, "resilience": 0.64, "lifecycle": 0.3, "stack": 0,
	hygieneGroup: 0,
}

const (
	otherFloor   = 0.5
	hygieneGroup = "hygiene"
)

// Floor is how many of n scenarios of a group have to have passed, 0 to n: at least one where its
// share is not 0, however few were asked for.
func Floor(group string, n int) int {
	share, named := floors[group]
	if !named {
		share = otherFloor
	}
	if share == 0 {
		return 0
	}
	return max(min(n, 1), int(share*float64(n)+1e-9)) // 0.3 of 10 is 3
}

// group is the part of a scenario's ID before the slash.
func group(id string) string {
	name, _, _ := strings.Cut(id, "/")
	return name
}

// below says of which groups of the suite too few scenarios passed.
func (p Policy) below(all []result.Scenario) []string {
	passed, skipped := map[string]bool{}, map[string]string{}
	for _, s := range all {
		switch s.Status {
		case result.Passed:
			passed[s.ID] = true
		case result.Skipped:
			skipped[s.ID] = s.Reason
		case result.Failed:
		}
	}
	var groups []string
	size, good, example := map[string]int{}, map[string]int{}, map[string]string{}
	for _, id := range p.Suite {
		g := group(id)
		if size[g] == 0 {
			groups = append(groups, g)
		}
		size[g]++
		switch {
		case passed[id]:
			good[g]++
		case example[g] == "" && skipped[id] != "":
			example[g] = fmt.Sprintf("; %s was skipped: %s", id, steps.Shorten(skipped[id]))
		}
	}
	var out []string
	for _, g := range groups {
		if least := Floor(g, size[g]); good[g] < least {
			out = append(out, fmt.Sprintf("%d of %d scenarios of %s passed, and %d are the least%s", good[g], size[g], g, least,
				example[g]))
		}
	}
	return out
}
