package sizing

import (
	"fmt"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// Kind is the value of Report.Kind.
const Kind = "Sizing"

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
		APIVersion: result.APIVersion, Kind: Kind, Started: time.Now().UTC(), HostCPUs: o.HostCPUs, Steps: []Step{},
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
			reason, _, _ = strings.Cut(err.Error(), "\n")
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

// Markdown renders the report in the shape of GitLab's sizing tables.
func (r *Report) Markdown() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Sizing of %s: %s\n", r.Target, r.Verdict)
	for _, reason := range r.Reasons {
		line("- %s", reason)
	}
	if r.Partial {
		line("- **partial**: what follows is what was measured until then")
	}
	line("\n## Against what is published\n\n| claim | published | measured | at | verdict | source |\n|---|---|---|---|---|---|")
	for _, c := range r.Claims {
		verdict := string(c.Verdict)
		if c.Reason != "" {
			verdict += ": " + c.Reason
		}
		line("| %s | %s | %s | %s | %s | %s |", c.Title, c.Published, c.Measured, c.At, verdict, c.Source)
	}
	line("\n## By number of tenants\n")
	line("In brackets: what the published formulas give for that number of namespaces.\n")
	line("| tenants | namespaces | secrets | memory | memory while provisioning | start | failover in order | failover after a crash | database | tenants/s provisioned | fetch mean / p95 / p99 |")
	line("|---|---|---|---|---|---|---|---|---|---|---|")
	for _, s := range append(append([]Step{}, r.Steps...), r.Beyond...) {
		line("%s", s.row())
	}
	for i := len(r.Steps) - 1; i >= 0; i-- {
		if s := r.Steps[i]; s.SeedLimit != "" {
			line("\nProvisioning took %.1f API calls a tenant. What limited it at %d tenants: %s.", s.SeedCalls, s.Tenants,
				s.SeedLimit)
			break
		}
	}
	for _, gap := range r.NotMeasured {
		line("\nNot measured: %s.", gap)
	}
	if r.Reproduce != "" {
		line("\nReproduce: `%s`", r.Reproduce)
	}
	return b.String()
}

func (s Step) row() string {
	cells := []string{fmt.Sprint(s.Tenants), fmt.Sprint(s.Namespaces), fmt.Sprint(s.Secrets)}
	value := func(format string, v float64, published string) {
		cells = append(cells, fmt.Sprintf(format, v)+published)
	}
	startup := fmt.Sprintf(" (%.1f s)", documentedStartup(s.Namespaces))
	if s.MemoryMiB > 0 {
		value("%.0f MiB", s.MemoryMiB, fmt.Sprintf(" (%.0f MiB)", documentedMiB(s.Namespaces)))
	} else {
		cells = append(cells, "–")
	}
	if s.SeedMemory > 0 {
		value("%.0f MiB", s.SeedMemory, "")
	} else {
		cells = append(cells, "–")
	}
	value("%.1f s", s.Startup, startup)
	value("%.1f s", s.Graceful, startup)
	value("%.1f s", s.Crash, fmt.Sprintf(" (%.1f s)", documentedCrash(s.Namespaces)))
	if s.DatabaseMiB > 0 {
		value("%.1f MiB", s.DatabaseMiB, "")
	} else {
		cells = append(cells, "–")
	}
	if s.Extrapolated {
		cells[0] += " *(extrapolated)*"
		cells = append(cells, "–", "–")
	} else {
		value("%.1f", s.SeedRate, "")
		cells = append(cells, fmt.Sprintf("%.1f / %.1f / %.1f ms at %.0f/s", s.Fetch.Mean, s.Fetch.P95, s.Fetch.P99,
			s.Fetch.Achieved))
	}
	return "| " + strings.Join(cells, " | ") + " |"
}
