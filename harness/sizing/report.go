package sizing

import (
	"fmt"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// Report is the outcome.
type Report struct {
	result.Record
	Steps  []Step  `json:"steps"`
	Beyond []Step  `json:"extrapolated"`
	Claims []Claim `json:"claims"`
}

func newReport(o Options) *Report {
	r := &Report{Record: result.NewRecord("Sizing"), Steps: []Step{}, Beyond: []Step{}, Claims: []Claim{}}
	r.HostCPUs = o.HostCPUs
	return r
}

// finish judges.
func (r *Report) finish(interrupted bool, err error) {
	r.Beyond = append(r.Beyond, extrapolate(r.Steps)...)
	r.Claims = append(r.Claims, claims(r.Steps)...)
	var failed, unsure, good []string
	for _, s := range r.Steps {
		if s.Fetch.Wrong > 0 {
			failed = append(failed, fmt.Sprintf("%d tenants: %d fetches got a wrong value", s.Tenants, s.Fetch.Wrong))
		}
	}
	for _, c := range r.Claims {
		switch c.Verdict {
		case result.Fail:
			failed = append(failed, fmt.Sprintf("%s: %s at %s, published: %s", c.Title, c.Measured, c.At, c.Published))
		case result.Inconclusive:
			unsure = append(unsure, c.Title+": "+c.Reason)
		}
	}
	if interrupted || err != nil {
		r.Partial = true
		reason := "interrupted"
		if !interrupted {
			reason = exit.FirstLine(err.Error())
		}
		unsure = append([]string{reason}, unsure...)
	}
	if n := len(r.Steps); n > 0 {
		good = []string{fmt.Sprintf("every published number holds up to %d tenants", r.Steps[n-1].Tenants)}
	} else if len(unsure) == 0 {
		unsure = []string{"no size was measured"}
	}
	r.Conclude(failed, unsure, good)
}
