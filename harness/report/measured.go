package report

import "gitlab.com/steamer/steamer/harness/result"

// notMeasured is the cell of what could have been measured and was not: a 0 in its place would be read as a figure.
const notMeasured = "not measured"

// latency prints a latency in milliseconds that n fetches gave.
func latency(v float64, n int64) string {
	if n == 0 {
		return notMeasured
	}
	return ms(v)
}

// rated reports whether a rate was measured. That no fetch was completed is one only where the load ran to its end: one that
// stopped in its warm-up has measured nothing.
func rated(l *result.Load) bool {
	return l.Fetches > 0 || l.Partial == "" && l.MeasuredSeconds > 0
}
