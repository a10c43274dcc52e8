package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/stats"
)

// MaxGateMetrics bounds how many metrics may decide: the more there are, the more evidence each needs.
const MaxGateMetrics = 6

// DefaultGate lists the metrics that decide unless told otherwise: those that a few minutes on two cores can decide. Tails take longer slices or a
// higher rate, and hundreds of pairs.
func DefaultGate() []string {
	return []string{"fetch_p50_ms", "openbao_cpu_ms_per_fetch"}
}

// Recorded lists the metrics that every slice records; those that do not decide are informational.
func Recorded() []string {
	return []string{
		"fetch_p50_ms", "fetch_p90_ms", "fetch_p95_ms", "fetch_p99_ms", "fetch_mean_ms", "fetch_actual_p50_ms", "fetch_actual_p95_ms",
		"openbao_cpu_ms_per_fetch", "postgresql_cpu_ms_per_fetch", "openbao_memory_mib",
	}
}

// metrics evaluates every recorded metric on valid pairs.
func (c *Comparison) metrics(valid []Pair, level float64, q *Quarantine) []Metric {
	var out []Metric
	for _, name := range Recorded() {
		m := Metric{Name: name, Verdict: result.Inconclusive, PFail: 1, PPass: 1, PHolm: 1}
		m.describe()
		if i := slices.IndexFunc(c.Design.GateMetrics, func(g GateMetric) bool { return g.Name == name }); i >= 0 {
			m.Gate, m.Margin = true, c.Design.GateMetrics[i].Margin
		}
		m.evaluate(valid, level)
		if m.Pairs == 0 && !m.Gate {
			continue
		}
		if why := q.reason(name, c.Started); why != "" && m.Gate {
			m.Gate, m.Reason = false, quarantinedPrefix+why
		}
		out = append(out, m)
	}
	return out
}

// quarantinedPrefix begins the reason of a metric in quarantine.
const quarantinedPrefix = "quarantined: "

// Quarantined reports whether the metric would decide, were it not in quarantine; Reason says why it is, and until when.
func (m *Metric) Quarantined() bool { return strings.HasPrefix(m.Reason, quarantinedPrefix) }

// describe takes title and unit from the gate, which reads the metric.
func (m *Metric) describe() {
	r, err := gate.Read(m.Name, &result.Topology{Load: &result.Load{}})
	if m.Title, m.Unit = r.Title, r.Unit; err != nil {
		m.Title = m.Name
	}
	if strings.HasSuffix(m.Name, "_mib") { // whose reader names the unit only where there is something to read
		m.Unit = "MiB"
	}
}

// evaluate computes everything that needs no decision.
func (m *Metric) evaluate(valid []Pair, level float64) {
	var a, b []float64
	missing := "no slice has a value"
	for _, p := range valid {
		x, okA := p.A.Values[m.Name]
		y, okB := p.B.Values[m.Name]
		if thin := cmp.Or(p.A.Thin[m.Name], p.B.Thin[m.Name]); thin != "" && m.Gate { // what decides rests on enough fetches, or on none
			missing, okA = thin+"; longer slices or a higher rate would", false
		}
		if okA && okB {
			a, b = append(a, x), append(b, y)
		}
	}
	if m.Pairs = len(a); m.Pairs == 0 {
		m.Reason = missing
		return
	}
	m.A, m.B = stats.Median(a), stats.Median(b)
	if cv := finite(stats.CV(a)); cv != nil {
		m.CV = *cv
		m.Noise = string(stats.NoiseOf(*cv))
	}
	d, err := stats.LogRatios(a, b)
	if err != nil {
		m.Pairs, m.Reason = 0, err.Error()
		return
	}
	r := stats.RatioOf(d, level)
	m.Ratio, m.Lo, m.Hi, m.MDE = r.Ratio, finite(r.Lo), finite(r.Hi), finite(r.MDE)
	if sd := finite(r.SD); sd != nil {
		m.SD = *sd
	}
	test := stats.SignedRankTest(d, math.Log1p(m.Margin))
	m.PFail, m.PPass = test.Greater, test.Less
	if float64(m.Pairs) < minValid*float64(len(valid)) {
		m.PFail, m.PPass, m.Reason = 1, 1, fmt.Sprintf("only %d of %d pairs have a value: %s", m.Pairs, len(valid), missing)
	}
}

// decide gives the verdict at a level. Lo and Hi are not corrected for the number of metrics, PHolm is.
func (m *Metric) decide(level float64) {
	switch {
	case m.Lo != nil && *m.Lo > 1:
		m.Change = "more"
	case m.Hi != nil && *m.Hi < 1:
		m.Change = "less"
	default:
		m.Change = "none shown"
	}
	switch {
	case m.PHolm <= level:
		m.Verdict = result.Fail
	case m.PPass <= level:
		m.Verdict = result.Pass
	}
	if m.Verdict == result.Pass || m.Reason != "" || !m.Gate {
		return
	}
	m.Reason = m.undecided(level)
}

// undecided says why a metric that is not PASS is not.
func (m *Metric) undecided(level float64) string {
	limit := fmt.Sprintf("the margin of %s", percent(m.Margin))
	switch {
	case m.Verdict == result.Fail:
		return "above " + limit
	case m.Lo == nil || m.Hi == nil:
		return fmt.Sprintf("%d pairs are too few for a level of %.4f", m.Pairs, level)
	case m.PFail <= level:
		return "above " + limit + " alone, but not after Holm's correction"
	case m.MDE != nil && *m.MDE > m.Margin:
		return fmt.Sprintf("the noise is too large to tell: less than %s could not have been seen", percent(*m.MDE))
	}
	return "the interval reaches across " + limit
}

// sentence says it all in one line.
func (m *Metric) sentence() string {
	if m.Pairs == 0 {
		return m.Title + ": " + m.Reason
	}
	s := fmt.Sprintf("%s: B/A %.3f (%s)", m.Title, m.Ratio, m.Range())
	if m.Verdict == result.Pass {
		return s + ", below the margin of " + percent(m.Margin)
	}
	return s + ", " + m.Reason
}

// Range is the interval as text.
func (m *Metric) Range() string {
	if m.Lo == nil || m.Hi == nil {
		return "no interval"
	}
	return fmt.Sprintf("%.3f to %.3f", *m.Lo, *m.Hi)
}

// percent prints a share of 1 as a percentage with up to one decimal.
func percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1000)/10, 'f', -1, 64) + " %"
}
