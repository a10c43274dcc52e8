package report

import (
	"fmt"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
)

// notMeasured is the cell of what could have been measured and was not: a 0 in its place would be
// read as a figure.
const notMeasured = "not measured"

// latency prints a latency in milliseconds that n fetches gave.
func latency(v float64, n int64) string {
	if n == 0 {
		return notMeasured
	}
	return render.Milliseconds(v)
}

// rated reports whether a rate was measured. That no fetch was completed is one only where the
// load ran to its end: one that stopped in its warm-up has measured nothing.
func rated(l *result.Load) bool {
	return l.Fetches > 0 || l.Partial == "" && l.MeasuredSeconds > 0
}

// jobsText says what the jobs of a load did, as a sentence with a space before it; empty where
// that was not recorded.
func jobsText(j *result.Jobs) string {
	if j == nil {
		return ""
	}
	from, connections, repeats := "tenants that were not counted", "a new connection for each fetch", "nothing repeated"
	if j.Tenants > 0 {
		from = fmt.Sprintf("%d tenants with %d secrets each or more", j.Tenants, j.Secrets)
	}
	if j.Reuse {
		connections = "connections kept open"
	}
	if j.Retries {
		repeats = "failed requests repeated"
	}
	return fmt.Sprintf(" Jobs: from %s, chosen by %s; %s, %s; tokens signed by %s.", from, j.Choice, connections, repeats,
		j.Signing)
}
