// Package compare compares two systems on one machine by driving them in turns:
// randomised ABBA blocks of short slices, log-ratios of pairs, the signed-rank
// interval against a margin, interim analyses of the growing data that together
// keep their error rate. A Comparison holds the evidence and can be judged again.
// docs/method.md has the method with its sources.
package compare

import (
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// Kind is the value of Comparison.Kind.
const Kind = "Comparison"

// The arms: A is the base, B the head that is compared with it.
const (
	A = "A"
	B = "B"
)

// Comparison is one comparison from its design to its verdict.
type Comparison struct {
	APIVersion string      `json:"apiVersion"` // result.APIVersion
	Kind       string      `json:"kind"`
	ID         string      `json:"id"`
	Started    time.Time   `json:"started"`
	Finished   time.Time   `json:"finished"`
	Partial    bool        `json:"partial"`   // interrupted or failed before its end
	Reproduce  string      `json:"reproduce"` // the command line that repeats it
	Steamer    string      `json:"steamer"`   // Steamer's version and commit
	Host       result.Host `json:"host"`
	A          Subject     `json:"a"`
	B          Subject     `json:"b"`
	Design     Design      `json:"design"`
	Pairs      []Pair      `json:"pairs"` // in the order in which they were driven
	// Functional is what became of the scenarios that were run on both after the load; none
	// without any.
	Functional []Functional `json:"functional,omitempty"`
	// The judgement, which Judge derives from everything above.
	Verdict     result.Verdict `json:"verdict"`
	Reasons     []string       `json:"reasons"` // most important first
	Metrics     []Metric       `json:"metrics"`
	Outcomes    []Outcome      `json:"outcomes"`
	Interims    []Interim      `json:"looks"`
	Notes       []string       `json:"notes,omitempty"` // what a reader has to know beside: quarantines that have ended
	NotMeasured []string       `json:"notMeasured,omitempty"`
}

// Subject is what one arm is.
type Subject struct {
	Description string            `json:"description"`        // e.g. "charts/openbao 0.2.0 with fast.yaml"
	Chart       *result.Chart     `json:"chart,omitempty"`    // nil for processes
	Versions    map[string]string `json:"versions,omitempty"` // component to version
	Images      map[string]string `json:"images,omitempty"`   // component to reference
	Config      string            `json:"config,omitempty"`   // sha256 of the configuration patch or values laid over the defaults
	Delay       float64           `json:"delay,omitempty"`    // ms added on purpose to every answer
	Injected    float64           `json:"injected,omitempty"` // the share of the median latency that Delay is, 0.1 is 10 %
	CPUs        float64           `json:"cpus,omitempty"`     // cores that OpenBao was limited to on purpose; 0 is none
	Unfit       string            `json:"unfit,omitempty"`    // why it did not come up, or could not be provisioned
}

// Design is what was decided before the first slice.
type Design struct {
	Where        string       `json:"where"` // "local" processes, or the topology
	Profile      string       `json:"profile"`
	Mode         string       `json:"mode"` // way to fetch
	Tier         string       `json:"tier,omitempty"`
	Rate         float64      `json:"rate"`            // fetches per second offered to either arm
	Reuse        bool         `json:"reuse"`           // connections kept between fetches
	Slice        float64      `json:"slice"`           // seconds measured in a slice
	Warmup       float64      `json:"warmup"`          // seconds before them, not measured
	Idle         float64      `json:"idle"`            // seconds between slices
	Turns        bool         `json:"turns,omitempty"` // one load generator drives both by turns, without a start of its own for each slice; Warmup is before each interim analysis
	Tenants      int          `json:"tenants"`
	Secrets      int          `json:"secrets"`               // of each tenant
	Recipe       string       `json:"recipe,omitempty"`      // by which tenants are provisioned; all in turn without one
	BatchTokens  bool         `json:"batchTokens,omitempty"` // jobs' logins give batch tokens; with service tokens OpenBao 2.4 and 2.5 keep a lease of every inline fetch until the token ends
	Alpha        float64      `json:"alpha"`                 // error rate of a wrong FAIL, over all metrics and interim analyses; the same for a wrong PASS
	InterimEvery int          `json:"lookEvery"`
	MaxPairs     int          `json:"maxPairs"`
	Budget       float64      `json:"budget"` // seconds of driving after which no block is begun; 0 is none
	Seed         uint64       `json:"seed"`   // of the order of the slices
	GateMetrics  []GateMetric `json:"gate"`
}

// GateMetric is a metric that decides, and by how much B may exceed A: 0.1 is 10 %.
type GateMetric struct {
	Name   string  `json:"name"`
	Margin float64 `json:"margin"`
}

// Pair is a slice of either arm, next to each other in time.
type Pair struct {
	Order string `json:"order"` // "AB" or "BA"
	A     Slice  `json:"a"`
	B     Slice  `json:"b"`
}

// Slice is one short measurement of one arm. A slice with Invalid reasons, an overload, or fetches
// that failed or got a wrong value takes its pair out of the metrics, but not out of the outcomes.
type Slice struct {
	Start    time.Time          `json:"start"` // of the warm-up
	Fetches  int64              `json:"fetches"`
	Failed   int64              `json:"failed"`
	Wrong    int64              `json:"wrong"` // wrong values, warm-up included
	Dropped  int64              `json:"dropped"`
	Achieved float64            `json:"achieved"` // fetches per second
	Values   map[string]float64 `json:"values"`   // metric to value, in the metric's unit
	// Thin is of comparisons before December 2026 and of campaigns, and heeded where Fetches is
	// not known: why too few fetches support a quantile.
	Thin     map[string]string `json:"thin,omitempty"`
	Invalid  []string          `json:"invalid,omitempty"`  // validity conditions that were missed
	Overload string            `json:"overload,omitempty"` // why the arm did not carry the offered load, judged as an outcome
}

// Metric is the judgement of one metric. Lo, Hi and MDE are absent where the
// pairs are too few to give them.
type Metric struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Unit  string `json:"unit"`
	Gate  bool   `json:"gate"` // takes part in the verdict
	// Quarantine says why a metric of the gate does not have to pass, and until when; it may still
	// FAIL.
	Quarantine string   `json:"quarantine,omitempty"`
	Missing    string   `json:"missing,omitempty"` // how many valid pairs gave no ratio, and why
	Margin     float64  `json:"margin,omitempty"`  // 0.1 is 10 %
	Pairs      int      `json:"pairs"`             // that gave a ratio
	A          float64  `json:"a"`                 // median of the slices
	B          float64  `json:"b"`
	Ratio      float64  `json:"ratio"` // B over A, Hodges-Lehmann
	Lo         *float64 `json:"lo,omitempty"`
	Hi         *float64 `json:"hi,omitempty"`
	SD         float64  `json:"sd"`            // of the log-ratios of the pairs
	MDE        *float64 `json:"mde,omitempty"` // the ratio less 1 that would have been seen with a power of 80 %
	CV         float64  `json:"cv"`            // coefficient of variation of A's slices
	Noise      string   `json:"noise"`         // stable, noisy, do not trust
	PFail      float64  `json:"pFail"`         // against "B exceeds A by no more than the margin"
	PHolm      float64  `json:"pHolm"`         // the same, adjusted for the number of metrics and outcomes
	PPass      float64  `json:"pPass"`         // against "B exceeds A by the margin or more"
	// Change says what the interval says without a margin: slower, faster, or none shown.
	Change  string         `json:"change"`
	Verdict result.Verdict `json:"verdict"`
	Reason  string         `json:"reason,omitempty"` // why it is not PASS, or why the metric does not decide
}

// Outcome compares how much went wrong in either arm: failed fetches, or slices that were
// overloaded or disrupted. PASS means that nothing did in B.
type Outcome struct {
	Name    string         `json:"name"`
	Title   string         `json:"title"`
	OnlyA   int            `json:"onlyA"` // pairs in which more went wrong in A, be it that nothing did in B
	OnlyB   int            `json:"onlyB"`
	Both    int            `json:"both"` // in which it went wrong in both alike
	Pairs   int            `json:"pairs"`
	TotalA  int64          `json:"totalA,omitempty"` // fetches or slices in which it went wrong in A, over all pairs
	TotalB  int64          `json:"totalB,omitempty"`
	P       float64        `json:"p"` // one-sided, exact sign-flip test of the differences of the pairs
	PHolm   float64        `json:"pHolm"`
	Asks    bool           `json:"asks,omitempty"` // of comparisons before December 2026: it made no FAIL
	Verdict result.Verdict `json:"verdict"`
	Reason  string         `json:"reason,omitempty"`
}

// Interim is an interim analysis: one judgement on the way.
type Interim struct {
	Pairs   int            `json:"pairs"` // driven so far, discarded ones included
	Valid   int            `json:"valid"`
	Level   float64        `json:"level"` // one-sided level of every decision in this analysis
	Verdict result.Verdict `json:"verdict"`
}
