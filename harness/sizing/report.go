package sizing

import (
	"fmt"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// Report is the outcome.
type Report struct {
	APIVersion  string         `json:"apiVersion"`
	Kind        string         `json:"kind"`
	Started     time.Time      `json:"started"`
	Finished    time.Time      `json:"finished"`
	Reproduce   string         `json:"reproduce,omitempty"`
	Target      string         `json:"target"`
	HostCPUs    int            `json:"hostCPUs"`
	Verdict     result.Verdict `json:"verdict"`
	Reasons     []string       `json:"reasons"`
	Partial     bool           `json:"partial"`
	Steps       []Step         `json:"steps"`
	Beyond      []Step         `json:"extrapolated"`
	Claims      []Claim        `json:"claims"`
	NotMeasured []string       `json:"notMeasured,omitempty"`
}

func newReport(o Options) *Report {
	return &Report{
		APIVersion: result.APIVersion, Kind: "Sizing", Started: time.Now().UTC(), HostCPUs: o.HostCPUs, Steps: []Step{},
		Beyond: []Step{}, Claims: []Claim{},
		Reasons: []string{}, Verdict: result.Inconclusive,
	}
}

// finish judges.
func (r *Report) finish(interrupted bool, err error) {
	r.Finished = time.Now().UTC()
	r.Beyond = append(r.Beyond, extrapolate(r.Steps)...)
	r.Claims = append(r.Claims, claims(r.Steps)...)
	var failed, unsure []string
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
	switch {
	case len(failed) > 0:
		r.Verdict, r.Reasons = result.Fail, append(failed, unsure...)
	case len(unsure) > 0 || len(r.Steps) == 0:
		r.Verdict, r.Reasons = result.Inconclusive, unsure
	default:
		r.Verdict, r.Reasons = result.Pass, []string{fmt.Sprintf("every published number holds up to %d tenants",
			r.Steps[len(r.Steps)-1].Tenants)}
	}
}
