package result

import "time"

// Status is the outcome of one scenario.
type Status string

// The scenario outcomes. Skipped always carries a reason.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Skipped Status = "skipped"
)

// NotAllowed begins the reason of a skipped scenario that the cluster's user lacks a right for. It
// was chosen and could not be tried, so its topology does not pass.
const NotAllowed = "not allowed: "

// Subject is what a scenario judges.
type Subject string

// The subjects of scenarios.
const (
	SubjectChart  Subject = "chart"  // the installed chart: its templates, values and self-initialisation
	SubjectServer Subject = "server" // OpenBao and the recipes, which are the same on every chart
	SubjectGitLab Subject = "gitlab" // a real GitLab with its OpenBao
)

// Elsewhere begins the reason of a scenario that was skipped because the same run tried it on
// another topology, whose name follows.
const Elsewhere = "OpenBao and the recipes are the same as where it ran: on "

// Scenario is the outcome of one scenario on one topology.
type Scenario struct {
	ID string `json:"id"` // e.g. "access/own-secret"
	// Subject is empty in records of earlier releases, and then counts as the chart.
	Subject  Subject `json:"subject,omitempty"`
	Title    string  `json:"title"`           // one sentence
	Protects string  `json:"protects"`        // what a user loses when it fails
	Round    int     `json:"round,omitempty"` // from 1 where the suite was repeated
	Status   Status  `json:"status"`
	Reason   string  `json:"reason,omitempty"` // first failure or why it was skipped
	// Untried is set where a skipped scenario says nothing: it was not reached, or what surrounds
	// the chart failed under it. Other scenarios are skipped because the environment declares that
	// it lacks what they need.
	Untried bool `json:"untried,omitempty"`
	// Shard is the number of the installation that it ran on, from 1, where several share the
	// scenarios; 0 where there was one, or where it ran on each.
	Shard int `json:"shard,omitempty"`
	// Alone is why nothing else went on on the cluster meanwhile; empty where that was allowed.
	Alone     string             `json:"alone,omitempty"`
	Started   time.Time          `json:"started,omitzero"` // zero for one that did not run, and in records of before December 2026
	Seconds   float64            `json:"seconds"`
	Log       []string           `json:"log,omitempty"`
	Measured  map[string]float64 `json:"measured,omitempty"` // name with unit suffix, e.g. "unavailable_seconds"
	Artifacts []string           `json:"artifacts,omitempty"`
}

// Ended is when the scenario ended; zero where it is not known when it began.
func (s *Scenario) Ended() time.Time {
	if s.Started.IsZero() {
		return s.Started
	}
	return s.Started.Add(time.Duration(s.Seconds * float64(time.Second)))
}
