package gate

import (
	"fmt"
	"strings"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/steps"
)

// floors are the shares of each group of scenarios about the chart, 0 to 1, that have to have
// passed at least once over all runs in a topology. A scenario may be skipped for a reason that a
// chart, its dialect or the cluster declares; the floor says how much may be. It follows from what
// scenarios need (docs/scenarios.md) and from the shipped dialects: a test holds both against it.
//
//   - access, abuse: they need OpenBao only, so that all have to pass.
//   - audit: 2 of 9 need the HTTP audit device of OpenBao 2.5.
//   - config: 1 of 20 needs the other topology, 1 a NetworkPolicy, 3 need metrics without a token.
//   - resilience: of 15, 3 need signals, which an existing cluster may not admit, 1 a
//     PodDisruptionBudget, 1 an unseal key and metrics, 1 the other topology.
//   - lifecycle: the community chart, whose configuration no overlay can edit, can do 3 of 10
//     without a previous release.
//   - hygiene has a criterion of its own, for which each scan has to pass.
//
// A group that is not named has otherFloor. Scenarios about the server need nothing that may be
// missing, so that all have to pass; those about GitLab need one, which few runs have.
var floors = map[string]float64{
	"access": 1, "abuse": 1, "audit": 0.78, "config": 0.79, "resilience": 0.64, "lifecycle": 0.3, hygieneGroup: 0,
}

const (
	otherFloor   = 0.5
	hygieneGroup = "hygiene"
)

// Floor is how many of n scenarios of a group and a subject have to have passed, 0 to n: at least
// one where its share is not 0, however few were asked for.
func Floor(subject result.Subject, group string, n int) int {
	share, named := floors[group]
	switch {
	case subject == result.SubjectServer:
		share = 1
	case subject == result.SubjectGitLab:
		share = 0
	case !named:
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

// part is a group's scenarios about one subject.
type part struct {
	subject result.Subject
	group   string
}

// below says of which parts of the suite too few scenarios passed.
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
	var parts []part
	size, good, example := map[part]int{}, map[part]int{}, map[part]string{}
	for _, id := range p.Suite {
		g := part{p.subject(id), group(id)}
		if size[g] == 0 {
			parts = append(parts, g)
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
	for _, g := range parts {
		if least := Floor(g.subject, g.group, size[g]); good[g] < least {
			out = append(out, fmt.Sprintf("%d of %d scenarios of %s passed, and %d are the least%s", good[g], size[g], g.group,
				least, example[g]))
		}
	}
	return out
}
