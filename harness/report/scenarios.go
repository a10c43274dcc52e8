package report

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
)

// manyScenarios is from how many on a group without failures starts folded.
const manyScenarios = 40

// scenarioGroup is the scenarios of one group, those that failed first.
type scenarioGroup struct {
	Name                    string
	Open                    bool
	Passed, Failed, Skipped int
	Scenarios               []scenarioView
}

// scenarioView is one scenario; where the suite was repeated, all its rounds.
type scenarioView struct {
	result.Scenario
	Took     string
	Place    string // where and when it ran, of several installations
	Measured []row
	Rounds   string   // outcome over the rounds, empty for one
	Failures []string // reasons of failed rounds other than the one shown
}

// groups puts a topology's scenarios into groups: those with failures first, then by first
// appearance.
func groups(list []result.Scenario) []scenarioGroup {
	var out []scenarioGroup
	rounds := map[string][]result.Scenario{}
	var order []string
	for _, s := range list {
		if rounds[s.ID] == nil {
			order = append(order, s.ID)
		}
		rounds[s.ID] = append(rounds[s.ID], s)
	}
	for _, id := range order {
		name, _, _ := strings.Cut(id, "/")
		i := slices.IndexFunc(out, func(g scenarioGroup) bool { return g.Name == name })
		if i < 0 {
			i, out = len(out), append(out, scenarioGroup{Name: name})
		}
		v := newScenario(rounds[id])
		switch v.Status {
		case result.Failed:
			out[i].Failed++
		case result.Passed:
			out[i].Passed++
		case result.Skipped:
			out[i].Skipped++
		}
		out[i].Scenarios = append(out[i].Scenarios, v)
	}
	for i := range out {
		slices.SortStableFunc(out[i].Scenarios, func(a, b scenarioView) int {
			return cmp.Compare(urgency(a.Status),
				urgency(b.Status))
		})
		out[i].Open = out[i].Failed > 0 || len(order) < manyScenarios
	}
	slices.SortStableFunc(out, func(a, b scenarioGroup) int { return cmp.Compare(min(b.Failed, 1), min(a.Failed, 1)) })
	return out
}

// bySubject says how the scenarios about each subject ended, those about the chart first.
func bySubject(list []result.Scenario) string {
	var out []string
	for _, subject := range []result.Subject{result.SubjectChart, result.SubjectServer, result.SubjectGitLab} {
		own := about(list, subject)
		if p, f, s := result.Count(own); len(own) > 0 {
			out = append(out, fmt.Sprintf("%s: %d passed, %d failed, %d skipped", subject, p, f, s))
		}
	}
	return strings.Join(out, "; ")
}

func about(list []result.Scenario, subject result.Subject) []result.Scenario {
	return slices.DeleteFunc(slices.Clone(list), func(s result.Scenario) bool { return s.Of() != subject })
}

// urgency orders outcomes: failures first, the rest as it came.
func urgency(s result.Status) int {
	if s == result.Failed {
		return 0
	}
	return 1
}

// newScenario sums up the rounds of a scenario: it failed if one did, and passed if one did and
// none failed.
func newScenario(rounds []result.Scenario) scenarioView {
	shown, total := 0, 0.0
	count := map[result.Status]int{}
	var failed []string
	for i, s := range rounds {
		count[s.Status]++
		total += s.Seconds
		switch {
		case s.Status == result.Failed:
			failed = append(failed, fmt.Sprint(s.Round))
			if len(failed) == 1 {
				shown = i
			}
		case s.Status == result.Passed && len(failed) == 0 && rounds[shown].Status != result.Passed:
			shown = i
		}
	}
	v := scenarioView{Scenario: rounds[shown], Took: render.Span(total), Place: whereRan(&rounds[shown])}
	if n := len(rounds); n > 1 {
		v.Rounds = fmt.Sprintf("%d rounds: %d passed, %d failed, %d skipped", n, count[result.Passed], count[result.Failed],
			count[result.Skipped])
		if len(failed) > 0 {
			v.Rounds += "; failed in round " + strings.Join(failed, ", ")
		}
		for i, s := range rounds {
			if i != shown && s.Status == result.Failed {
				v.Failures = append(v.Failures, fmt.Sprintf("round %d: %s", s.Round, s.Reason))
			}
		}
	}
	for k, x := range v.Scenario.Measured {
		v.Measured = append(v.Measured, row{Label: strings.ReplaceAll(k, "_", " "), Cells: []string{render.Number(x)}})
	}
	sort.Slice(v.Measured, func(i, j int) bool { return v.Measured[i].Label < v.Measured[j].Label })
	return v
}
