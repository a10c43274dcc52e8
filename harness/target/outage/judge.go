package outage

import (
	"fmt"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// Figures are what a budget limits.
type Figures struct {
	Longest float64 `json:"longest"` // seconds, the longest gap
	Sum     float64 `json:"sum"`     // seconds, all gaps
	Failed  float64 `json:"failed"`  // percent, see judge.Outage
	Lost    int     `json:"lost"`    // fetches that were due and failed
}

// Client is the figures of one kind of client.
type Client struct {
	Name string `json:"name"`
	Figures
	Watched float64 `json:"watched"` // seconds for which it fetched
	Gaps    []Gap   `json:"gaps,omitempty"`
	last    error
}

// Clients returns the figures of both kinds of client.
func (r Reports) Clients() []Client {
	figures := func(name string, one Report) Client {
		return Client{Name: name, Figures: Figures{
			Longest: one.Longest.Seconds(), Sum: one.Unavailable.Seconds(),
			Failed: one.FailedPercent(r.Interval, judge.OutageWindow), Lost: one.Lost,
		}, Watched: one.Watched.Seconds(), Gaps: one.Gaps, last: one.Last}
	}
	return []Client{figures(freshName, r.Fresh), figures(keptName, r.Kept)}
}

// How messages and tables name the clients.
const (
	freshName = "a connection per fetch"
	keptName  = "a kept connection"
)

// Findings returns what no outage excuses: a wrong value, or not a single fetch that worked.
func (r Reports) Findings() []string {
	var out []string
	for i, one := range []Report{r.Fresh, r.Kept} {
		name := []string{freshName, keptName}[i]
		if one.Wrong > 0 {
			out = append(out, fmt.Sprintf("%d fetches by %s got a wrong value", one.Wrong, name))
		}
		if one.Probes == one.Failed {
			out = append(out, fmt.Sprintf("no fetch by %s worked: %d tried, last error: %v", name, one.Probes, one.Last))
		}
	}
	return out
}

// Misses returns how the clients missed a budget, in a sentence for each that names it; nil where
// both kept it.
func (r Reports) Misses(budget judge.Outage) []string {
	var out []string
	for _, client := range r.Clients() {
		if missed := budget.Misses(client.Longest, client.Sum, client.Failed); len(missed) > 0 {
			out = append(out, fmt.Sprintf("%s missed: for a client with %s %s; last error: %v", budget, client.Name,
				strings.Join(missed, ", "), client.last))
		}
	}
	return out
}

// Judge records what the clients saw, and fails the scenario for a wrong value, for a client
// without a single fetch that worked, and for a missed budget of the change. A budget that was
// missed while the machine was in trouble leaves the scenario without a judgement.
func Judge(t scenario.T, env *scenario.Env, change, strategy string, r Reports) {
	t.Helper()
	record(t, r)
	for _, finding := range r.Findings() {
		t.Errorf("%s", finding)
	}
	if env.Outage == nil {
		t.Logf("no file of objectives has a budget for this outage")
		return
	}
	budget, ok := env.Outage(change, strategy)
	if !ok {
		t.Errorf("no outage budget for change %s with strategy %q: steamer slo check lists what is missing", change, strategy)
		return
	}
	budget = budget.With(Namespaces(env.Tenants))
	t.Measure("budget_longest_gap_seconds", budget.Longest)
	t.Measure("budget_unavailable_seconds", budget.Sum)
	t.Measure("budget_failed_percent", budget.Failed)
	report := t.Errorf
	if r.Machine != "" {
		report = t.Void
		t.Logf("while it measured: %s", r.Machine)
	}
	for _, miss := range r.Misses(budget) {
		if r.Machine != "" {
			miss += ", while " + r.Machine
		}
		report("%s", miss)
	}
}

// record keeps the figures of both clients with the scenario.
func record(t scenario.T, r Reports) {
	for i, client := range r.Clients() {
		prefix := []string{"", "kept_"}[i]
		t.Measure(prefix+"unavailable_seconds", client.Sum)
		t.Measure(prefix+"longest_gap_seconds", client.Longest)
		t.Measure(prefix+"failed_percent", client.Failed)
		t.Measure(prefix+"failed_fetches", float64([]Report{r.Fresh, r.Kept}[i].Failed))
		t.Measure(prefix+"fetches", float64([]Report{r.Fresh, r.Kept}[i].Probes))
		if client.last != nil {
			t.Logf("last failed fetch by %s: %v", client.Name, client.last)
		}
	}
}

// stillFor is how long a machine may stand still: beyond that a lock of 15 s that is renewed every
// 5 s is at risk, and each fetch of that time waits as long.
const stillFor = 3 * time.Second
