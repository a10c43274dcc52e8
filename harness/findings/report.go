package findings

import (
	"fmt"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// ReportKind is the value of Report.Kind.
const ReportKind = "Findings"

// Report is all experiments of one run.
type Report struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Started    time.Time      `json:"started"`
	Finished   time.Time      `json:"finished"`
	Reproduce  string         `json:"reproduce"`
	Host       string         `json:"host"` // CPUs, memory, kernel
	Verdict    result.Verdict `json:"verdict"`
	Reasons    []string       `json:"reasons"`
	Partial    bool           `json:"partial"`
	Outcomes   []*Outcome     `json:"outcomes"`
}

// NewReport begins a report.
func NewReport(reproduce, host string) *Report {
	return &Report{
		APIVersion: result.APIVersion, Kind: ReportKind, Started: time.Now().UTC(), Reproduce: reproduce, Host: host,
		Outcomes: []*Outcome{}, Reasons: []string{},
	}
}

// Add adds an experiment that ran.
func (r *Report) Add(o *Outcome) { r.Outcomes = append(r.Outcomes, o) }

// Finish sets the end and the verdict: FAIL when an effect that an experiment has to find again
// was not found or a value was wrong, INCONCLUSIVE when an experiment did not reach its end.
func (r *Report) Finish() {
	r.Finished = time.Now().UTC()
	var failed, unsure []string
	for _, o := range r.Outcomes {
		if o.Wrong {
			failed = append(failed, fmt.Sprintf("%s: %s", o.Experiment.ID, exit.FirstLine(o.Partial)))
		}
		for _, f := range o.Found {
			if !f.OK && o.Partial == "" {
				failed = append(failed, fmt.Sprintf("%s was not found again: %s", f.Finding, f.Explains))
			}
		}
		if o.Partial != "" && !o.Wrong {
			unsure = append(unsure, fmt.Sprintf("%s: %s", o.Experiment.ID, exit.FirstLine(o.Partial)))
		}
	}
	switch {
	case len(failed) > 0:
		r.Verdict, r.Reasons = result.Fail, append(failed, unsure...)
	case len(unsure) > 0 || r.Partial:
		r.Verdict, r.Reasons = result.Inconclusive, unsure
	default:
		r.Verdict, r.Reasons = result.Pass, []string{"every experiment reached its end, and found again what it has to find"}
	}
}
