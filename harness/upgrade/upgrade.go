// Package upgrade tries upgrades of a chart: from release to release, from values to values, from
// image to image. Each is predicted by rendering, in seconds, and confirmed on a cluster.
package upgrade

import (
	"fmt"
	"slices"
	"time"

	"github.com/Masterminds/semver/v3"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target/outage"
	"gitlab.com/steamer/steamer/harness/topology"
)

// Stop is what an upgrade begins or ends with.
type Stop struct {
	Name   string // as tables name it
	Chart  *chart.Chart
	Image  string         // reference of OpenBao; empty: the plan's
	Base   map[string]any // values below the dialect's, such as a file of the chart's ci directory
	Values map[string]any // the user's, over the dialect's
	Unfit  string         // why a test cluster cannot have it, see Setting.Unfit; such a stop is predicted only
}

// Edge is one upgrade.
type Edge struct {
	From, To Stop
	Back     bool // roll it back afterwards, on the same database
}

// RollbackAnnotation is the annotation of a Chart.yaml by which a chart says to which of its
// releases, as a range of versions, helm rollback leads back on the same database.
const RollbackAnnotation = "steamer/rollback"

// RollsBack reports whether the chart says that it can be rolled back along the edge. The error is
// of code exit.Invalid.
func (e Edge) RollsBack() (bool, error) {
	to := e.To.Chart.Annotation(RollbackAnnotation)
	if to == "" {
		return false, nil
	}
	releases, err := semver.NewConstraint(to)
	if err != nil {
		return false, exit.Invalidf("chart "+e.To.Chart.Info().Source, "correct annotation "+RollbackAnnotation+
			" in Chart.yaml, such as \">=1.2.0\"", "range of releases %q: %w", to, err)
	}
	version, err := semver.NewVersion(e.From.Chart.Info().Version)
	return err == nil && releases.Check(version), nil
}

// change is the kind of change that the edge is, by which its outage is judged.
func (e Edge) change() string {
	if e.From.Chart.Info().Digest != e.To.Chart.Info().Digest || e.From.Image != e.To.Image {
		return judge.OutageUpgrade
	}
	return judge.OutageConfig
}

// String names the edge.
func (e Edge) String() string { return e.From.Name + " -> " + e.To.Name }

// Setting is where upgrades happen.
type Setting struct {
	Dialect    *topology.Dialect
	Topology   string
	Outages    []judge.Outage // budgets; nil: no outage is predicted to be too long
	Namespaces int            // that OpenBao loads at most
}

// Severity of a Finding.
type Severity string

// The severities.
const (
	Error Severity = "error" // the upgrade fails, or loses something
	Note  Severity = "note"  // worth knowing
)

// Finding is something that an upgrade does, which rendering shows.
type Finding struct {
	Rule     string   `json:"rule"` // one of the rule constants
	Severity Severity `json:"severity"`
	Object   string   `json:"object"` // KIND/NAME
	Text     string   `json:"text"`
}

// The rules of a prediction.
const (
	ruleSelector      = "selector"       // a workload selects other pods: Kubernetes refuses that
	ruleImmutable     = "immutable"      // another field that Kubernetes does not change
	ruleSecretLost    = "secret-lost"    // Helm deletes a Secret that the release had made
	ruleSecretKey     = "secret-key"     // a Secret no longer has a key
	ruleSecretValue   = "secret-value"   // a Secret gets another value
	ruleSecretRenamed = "secret-renamed" // pods read a new Secret in place of one with values
	ruleSecretMissing = "secret-missing" // pods need a Secret that nothing has made
	ruleClaimLost     = "claim-lost"     // Helm deletes a volume claim, or pods claim other volumes
	ruleRestart       = "restart"        // the pods are replaced
	ruleOutage        = "outage"         // no pod can serve for a time that the chart itself sets
)

// Prediction is what rendering shows of an upgrade.
type Prediction struct {
	Findings []Finding `json:"findings"`
	Strategy string    `json:"strategy,omitempty"` // by which pods are replaced; empty where they are not
	Objects  int       `json:"objects"`            // that were compared
	// LeastOutage is for how many seconds no fetch can work, by the chart's own probes.
	LeastOutage float64 `json:"leastOutageSeconds,omitempty"`
}

// Confirmation is what an upgrade did on a cluster.
type Confirmation struct {
	Seconds  float64         `json:"seconds"` // until the new pods were ready
	Strategy string          `json:"strategy,omitempty"`
	Clients  []outage.Client `json:"clients"`
	Budget   *judge.Outage   `json:"budget,omitempty"` // of the change, for the tenants' namespaces
	Kept     int             `json:"kept"`             // Kubernetes Secrets' keys that have the value of before
	Keys     int             `json:"keys"`             // of the Secrets that there were before
	Read     int             `json:"read"`             // tenants' secrets that were read back with their values
	Secrets  int             `json:"secrets"`          // of the tenants
	Machine  string          `json:"machine,omitempty"`
}

// Outcome is what became of one edge.
type Outcome struct {
	From       string        `json:"from"`
	To         string        `json:"to"`
	FromChart  result.Chart  `json:"fromChart"`
	ToChart    result.Chart  `json:"toChart"`
	Predicted  Prediction    `json:"predicted"`
	Confirmed  *Confirmation `json:"confirmed,omitempty"`
	RolledBack *Confirmation `json:"rolledBack,omitempty"`
	// NotRolledBack is why an upgrade that was to be rolled back was not.
	NotRolledBack string         `json:"notRolledBack,omitempty"`
	Skipped       string         `json:"skipped,omitempty"` // why it was not confirmed
	Verdict       result.Verdict `json:"verdict"`
	Reasons       []string       `json:"reasons,omitempty"`
}

// APIVersion and Kind identify the JSON form of a Report.
const (
	APIVersion = result.APIVersion
	Kind       = "Upgrade"
)

// Report is what came out.
type Report struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Topology   string         `json:"topology"`
	Predicted  bool           `json:"predictedOnly"` // no cluster was asked for
	Verdict    result.Verdict `json:"verdict"`
	Edges      []Outcome      `json:"edges"`
	Seconds    float64        `json:"seconds"`
	Started    time.Time      `json:"started"`
	Reproduce  string         `json:"reproduce"`
}

// fail records a reason why the edge fails.
func (o *Outcome) fail(format string, args ...any) {
	o.Verdict = result.Fail
	o.Reasons = append(o.Reasons, fmt.Sprintf(format, args...))
}

// doubt records why the edge was not judged, unless it has failed.
func (o *Outcome) doubt(format string, args ...any) {
	if o.Verdict != result.Fail {
		o.Verdict = result.Inconclusive
	}
	o.Reasons = append(o.Reasons, fmt.Sprintf(format, args...))
}

// Conclude derives the report's verdict: the worst of its edges'.
func (r *Report) Conclude() {
	r.Verdict = result.Pass
	for _, o := range r.Edges {
		if o.Verdict == result.Fail {
			r.Verdict = result.Fail
			return
		}
		if o.Verdict != result.Pass {
			r.Verdict = result.Inconclusive
		}
	}
	if len(r.Edges) == 0 {
		r.Verdict = result.Inconclusive
	}
}

// has reports whether the findings have one of a rule for an object.
func (p Prediction) has(rule, object string) bool {
	return slices.ContainsFunc(p.Findings, func(f Finding) bool { return f.Rule == rule && f.Object == object })
}

func (p *Prediction) add(rule string, severity Severity, object, format string, args ...any) {
	p.Findings = append(p.Findings, Finding{rule, severity, object, fmt.Sprintf(format, args...)})
}
