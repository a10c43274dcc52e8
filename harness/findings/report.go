package findings

import (
	"fmt"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// ReportKind is the value of Report.Kind.
const ReportKind = "Findings"

// Report is all experiments of one run.
type Report struct {
	result.Record
	Host     string     `json:"host"` // CPUs, memory, kernel
	Outcomes []*Outcome `json:"outcomes"`
}

// NewReport begins a report.
func NewReport(reproduce, host string) *Report {
	r := &Report{Record: result.NewRecord(ReportKind), Host: host, Outcomes: []*Outcome{}}
	r.Reproduce = reproduce
	return r
}

// Add adds an experiment that ran.
func (r *Report) Add(o *Outcome) { r.Outcomes = append(r.Outcomes, o) }

// Finish sets the end and the verdict: FAIL when an effect that an experiment has to find again
// was not found or a value was wrong, INCONCLUSIVE when an experiment did not reach its end.
func (r *Report) Finish() {
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
	if r.Partial && len(unsure) == 0 {
		unsure = []string{"not every experiment was begun"}
	}
	r.Conclude(failed, unsure, []string{"every experiment reached its end, and found again what it has to find"})
}
