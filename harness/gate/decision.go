// Package gate decides about a release from evidence. It defines the versioned record of a gate's
// decision: whether a chart may be released, by which criteria, and on what evidence.
package gate

import (
	"fmt"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// APIVersion and Kind head a Decision's JSON.
const (
	APIVersion = "steamer/v1"
	Kind       = "Gate"
)

// The criteria, in the order in which they are shown.
const (
	Charts     = "charts"     // static checks
	Defects    = "defects"    // known defects of OpenBao charts
	Complete   = "complete"   // the runs reached their end
	Functional = "functional" // the scenarios, in every topology
	Load       = "load"       // the objectives at the tier, in every topology
	Hygiene    = "hygiene"    // no secret where none should be
	Comparison = "comparison" // with the last release
	Mutants    = "mutants"    // the suite can fail
	Faults     = "faults"     // nothing acknowledged is lost while the chart is broken, in every topology
	Detection  = "detection"  // known bugs of the OpenBao under test are found again, and no others
)

// Criteria lists all criteria.
func Criteria() []string {
	return []string{Charts, Defects, Complete, Functional, Load, Hygiene, Comparison, Mutants, Faults, Detection}
}

// Decision is the gate's verdict with what it rests on.
type Decision struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Made       time.Time      `json:"made"`
	Steamer    string         `json:"steamer"` // version and commit that decided
	Reproduce  string         `json:"reproduce"`
	Verdict    result.Verdict `json:"verdict"`
	Reasons    []string       `json:"reasons"` // most important first
	Chart      result.Chart   `json:"chart"`
	// the release that was declared to be the one before; nil: none was
	Previous   *result.Chart `json:"previous,omitempty"`
	Tier       string        `json:"tier"`
	Topologies []string      `json:"topologies,omitempty"` // that had to be shown
	// which of the suite had to be tried: the pattern that chose them
	Scenarios string `json:"scenarios,omitempty"`
	SLO       string `json:"slo"` // name of the objectives
	// Objectives is the file that the objectives are in; nil in decisions of Steamer releases that
	// did not record it.
	Objectives *File       `json:"objectives,omitempty"`
	Criteria   []Criterion `json:"criteria"`
	Runs       []Judged    `json:"runs"`
	// Doubts are what runs leave open about the chart, and what no other run removes; the load's
	// criterion has them among its reasons.
	Doubts   []Doubt    `json:"doubts,omitempty"`
	Compared []Compared `json:"compared,omitempty"`
	Evidence []File     `json:"evidence"`
	// Accepted are findings of the static checks, and failures of scenarios, that fail nothing,
	// because a baseline holds them.
	Accepted  []Accepted `json:"accepted,omitempty"`
	NotJudged []string   `json:"notJudged,omitempty"`
	// Since says what is not as in the earlier decision that this one derives again: its verdict,
	// its objectives.
	Since []string `json:"since,omitempty"`
}

// Required lists the criteria that had to be met.
func (d *Decision) Required() []string {
	var out []string
	for _, c := range d.Criteria {
		if c.Required {
			out = append(out, c.ID)
		}
	}
	return out
}

// Criterion is one of Criteria, judged.
type Criterion struct {
	ID       string         `json:"id"`
	Title    string         `json:"title"`
	Required bool           `json:"required"` // an Inconclusive one that is not required does not stop a release
	Verdict  result.Verdict `json:"verdict"`
	Measured string         `json:"measured"`
	Reasons  []string       `json:"reasons,omitempty"` // set unless the verdict is PASS
}

// Judged is one topology of one run, judged again.
type Judged struct {
	Run      string            `json:"run"`
	Path     string            `json:"path"`
	Topology string            `json:"topology"`
	Tier     string            `json:"tier"`
	Profile  string            `json:"profile"`
	Recorded result.Verdict    `json:"recorded"` // what the run said itself
	Derived  result.Verdict    `json:"derived"`
	Reasons  []string          `json:"reasons"`
	Passed   int               `json:"passed"`
	Failed   int               `json:"failed"`
	Skipped  int               `json:"skipped"`
	Failures []result.Scenario `json:"failures,omitempty"`
	Checks   []result.Check    `json:"checks,omitempty"`
	// false: a load that says nothing of the tier, which this gate does not judge
	Counts bool   `json:"counts"`
	Apart  string `json:"apart,omitempty"` // why it does not count
	// Lighter is a load of the tier that does not count because it asked for less: what broke
	// under it breaks under the tier's, too.
	Lighter bool `json:"lighter,omitempty"`
	// Easier is set where a load that does not count was no harder than one that would: what it
	// missed counts against the chart.
	Easier bool `json:"easier,omitempty"`
}

// Doubt is a validity condition of the chart's that runs missed without proof of its fault.
type Doubt struct {
	Topology string   `json:"topology"`
	Check    string   `json:"check"` // ID of the condition, e.g. "valid/leadership"
	Title    string   `json:"title"`
	Runs     int      `json:"runs"`    // that missed it
	Of       int      `json:"of"`      // measurements of the topology that count
	Reasons  []string `json:"reasons"` // of each of Runs, with its ID
}

// Accepted is a finding, or a failure of a scenario, that somebody took, why, and until which day.
type Accepted struct {
	Scenario string `json:"scenario,omitempty"` // its ID; empty for a finding
	Topology string `json:"topology,omitempty"` // where the scenario failed
	Rule     string `json:"rule"`               // empty for a scenario, as severity
	Severity string `json:"severity"`
	File     string `json:"file,omitempty"`
	Object   string `json:"object,omitempty"`
	Path     string `json:"path,omitempty"`
	Message  string `json:"message"`
	Reason   string `json:"reason"`
	Owner    string `json:"owner"`
	Expires  string `json:"expires"` // last day, as 2006-01-02 in UTC
}

// String says all of it in a line.
func (a Accepted) String() string {
	what := fmt.Sprintf("%s %s, %s", a.Severity, a.Rule,
		strings.TrimSpace(a.File+" "+strings.Trim(a.Object+": "+a.Path, ": ")))
	if a.Scenario != "" {
		what = "scenario " + a.Scenario + " on " + a.Topology
	}
	return fmt.Sprintf("%s: %s (accepted until %s by %s: %s)", what, a.Message, a.Expires, a.Owner, a.Reason)
}

// Compared is a comparison of the chart with another.
type Compared struct {
	Path    string         `json:"path"`
	Base    string         `json:"base"` // what it was compared with
	Head    string         `json:"head"`
	Where   string         `json:"where"` // topology
	Verdict result.Verdict `json:"verdict"`
	Reasons []string       `json:"reasons,omitempty"`
	Metrics []Ratio        `json:"metrics"`
	// Slices are the single measurements by the metric's name, base and head, those of invalid
	// pairs left out. They are for a picture and not kept.
	Slices    map[string][2][]float64 `json:"-"`
	Reproduce string                  `json:"-"`
}

// Ratio is one metric of a comparison. Lo, Hi and MDE are nil where the pairs were too few.
type Ratio struct {
	Name    string         `json:"name"`
	Title   string         `json:"title"`
	Unit    string         `json:"unit"`
	Gate    bool           `json:"gate"`             // takes part in the comparison's verdict
	Margin  float64        `json:"margin,omitempty"` // by how much the head may exceed the base, 0.1 is 10 %
	Base    float64        `json:"a"`
	Head    float64        `json:"b"`
	Ratio   float64        `json:"ratio"` // head over base
	Lo      *float64       `json:"lo,omitempty"`
	Hi      *float64       `json:"hi,omitempty"`
	MDE     *float64       `json:"mde,omitempty"` // the smallest excess that would have been seen
	Verdict result.Verdict `json:"verdict"`
	Reason  string         `json:"reason,omitempty"`
}

// File is a piece of evidence.
type File struct {
	Path   string `json:"path"`
	Kind   string `json:"kind"`
	SHA256 string `json:"sha256"`
	About  string `json:"about"`
}
