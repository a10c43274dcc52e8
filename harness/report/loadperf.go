package report

import (
	"encoding/json"
	"io"
	"math"

	"gitlab.com/steamer/steamer/harness/result"
)

// loadPerformance writes what GitLab's load-performance report reads, in the form of k6's summary:
// the rate, the latency from the actual start in ms, and every fetch as a check that passes when
// it got the right value. t must have load. What was not measured is left out, since GitLab would
// compare a 0 with the figures of other runs.
func loadPerformance(w io.Writer, t *result.Topology) error {
	l, d := t.Load, t.Load.Actual
	bad := l.Failed + l.Wrong
	type m map[string]any
	metrics := m{}
	if rated(l) {
		metrics["http_reqs"] = m{"count": l.Fetches, "rate": round(l.AchievedRate)}
	}
	if d.Count > 0 {
		metrics["http_req_waiting"] = m{
			"avg": round(d.Mean), "min": round(d.Min), "med": round(d.P50), "max": round(d.Max),
			"p(90)": round(d.P90), "p(95)": round(d.P95), "p(99)": round(d.P99),
		}
	}
	if l.Fetches > 0 {
		metrics["checks"] = m{"passes": l.Fetches - bad, "fails": bad, "value": round(1 - float64(bad)/float64(l.Fetches))}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(m{"metrics": metrics})
}

// round keeps three decimals: GitLab compares the values as they are written,
// and digits beyond the clock's noise would always differ.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }
