package gate

import (
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/topology"
)

// unjudged is what nobody asked for and what no run tried, so that no decision claims to have
// looked at everything.
func (p Policy) unjudged(e *Evidence) []string {
	var out []string
	if p.Scenarios != "" && p.Scenarios != scenario.All {
		out = append(out, fmt.Sprintf("scenarios that --scenarios %s does not select",
			steps.Shorten(p.Scenarios)))
	}
	named := p.named(e)
	for _, where := range topology.Names() {
		if !slices.Contains(named, where) {
			out = append(out, fmt.Sprintf("topology %s: not requested", where))
		}
	}
	tried := map[string]bool{}
	for _, where := range named {
		for _, s := range scenariosOf(e, where) {
			tried[s.ID] = tried[s.ID] || s.Status != result.Skipped
		}
	}
	for _, where := range named {
		out = append(out, skipped(where, slices.DeleteFunc(scenariosOf(e, where), func(s result.Scenario) bool {
			return tried[s.ID] && strings.HasPrefix(s.Reason, result.Elsewhere)
		}))...)
	}
	return out
}

// skipped are the scenarios of a topology that every run left out, those with the same reason
// together.
func skipped(where string, all []result.Scenario) []string {
	seen := map[string]bool{}
	for _, s := range all {
		if s.Status != result.Skipped {
			seen[s.ID] = true
		}
	}
	var reasons []string // in the order in which they came
	ids := map[string][]string{}
	for _, s := range all {
		if seen[s.ID] {
			continue
		}
		seen[s.ID] = true
		why := steps.Shorten(s.Reason)
		if len(ids[why]) == 0 {
			reasons = append(reasons, why)
		}
		ids[why] = append(ids[why], s.ID)
	}
	var out []string
	for _, why := range reasons {
		out = append(out, fmt.Sprintf("%s skipped on %s, %s: %s", count(len(ids[why]), "scenario"), where,
			strings.Join(ids[why], ", "), why))
	}
	return out
}
