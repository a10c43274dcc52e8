package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/stats"
)

// MaxGateMetrics bounds how many metrics may decide: the more there are, the more evidence each
// needs.
const MaxGateMetrics = 6

// DefaultGate lists the metrics that decide unless told otherwise: those that a few minutes on two
// cores can decide. p95 has a margin of its own.
func DefaultGate(margin float64) []GateMetric {
	return []GateMetric{{"fetch_p50_ms", margin}, {"openbao_cpu_ms_per_fetch", margin}, {"fetch_p95_ms", max(margin,
		TailMargin)}}
}

// Recorded lists the metrics that every slice records; those that do not decide are informational.
func Recorded() []string {
	return []string{
		"fetch_p50_ms", "fetch_p90_ms", "fetch_p95_ms", "fetch_p99_ms", "fetch_mean_ms", "fetch_actual_p50_ms",
		"fetch_actual_p95_ms",
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
			m.Gate, m.Margin, m.Quarantine = true, c.Design.GateMetrics[i].Margin, q.reason(name)
		}
		m.evaluate(valid, level)
		if m.Pairs > 0 || m.Gate {
			out = append(out, m)
		}
	}
	return out
}

// formerly began the reason of a metric in quarantine before December 2026, when it took no part
// in the verdict at all.
const formerly = "quarantined: "

// Quarantined says why a metric that decides did not have to pass, and until when; empty where it
// had to.
func (m *Metric) Quarantined() string {
	if why, was := strings.CutPrefix(m.Reason, formerly); was && m.Quarantine == "" {
		return why
	}
	return m.Quarantine
}

// Decides reports whether the metric took part in the verdict: one in quarantine does where it
// fails.
func (m *Metric) Decides() bool { return m.Gate && (m.Quarantine == "" || m.Verdict == result.Fail) }

// describe takes title and unit from the gate, which reads the metric.
func (m *Metric) describe() {
	r, err := judge.Read(m.Name, &result.Topology{Load: &result.Load{}})
	if m.Title, m.Unit = r.Title, r.Unit; err != nil {
		m.Title = m.Name
	}
	if strings.HasSuffix(m.Name, "_mib") { // whose reader names the unit only where there is something to read
		m.Unit = "MiB"
	}
}

// ratio returns the values of a metric in a pair, or says why there is no ratio of them. What is
// to decide rests on enough fetches, or on none.
func (p Pair) ratio(metric string, decides bool) (a, b float64, missing string) {
	for _, s := range []Slice{p.A, p.B} {
		v, ok := s.Values[metric]
		switch need := fetchesFor(metric); {
		case !ok:
			missing = "a slice has no value"
		case !(v > 0) || math.IsInf(v, 1):
			missing = fmt.Sprintf("a slice has the value %g, of which there is no ratio", v)
		case decides && s.Fetches == 0 && s.Thin[metric] != "":
			missing = s.Thin[metric]
		case decides && s.Fetches > 0 && s.Fetches < need:
			missing = fmt.Sprintf("%d fetches in a slice are too few, it takes %d: use longer slices or a higher rate",
				s.Fetches, need)
		}
	}
	return p.A.Values[metric], p.B.Values[metric], missing
}

// evaluate computes everything that needs no decision.
func (m *Metric) evaluate(valid []Pair, level float64) {
	var a, b []float64
	missing := "no pair is valid"
	for _, p := range valid {
		x, y, why := p.ratio(m.Name, m.Gate)
		if why != "" {
			missing = why
			continue
		}
		a, b = append(a, x), append(b, y)
	}
	if m.Pairs = len(a); m.Pairs == 0 {
		m.Reason = "no pair has a value: " + missing
		return
	}
	if gone := len(valid) - m.Pairs; gone > 0 {
		m.Missing = fmt.Sprintf("%d of %d valid pairs have no value: %s", gone, len(valid), missing)
	}
	m.A, m.B = stats.Median(a), stats.Median(b)
	if cv := finite(stats.CV(a)); cv != nil {
		m.CV = *cv
		m.Noise = string(stats.NoiseOf(*cv))
	}
	d, err := stats.LogRatios(a, b)
	if err != nil { // which no ratio of values above 0 gives
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
		m.PFail, m.PPass, m.Reason = 1, 1, fmt.Sprintf("only %d of %d valid pairs have a value: %s", m.Pairs,
			len(valid), missing)
	}
}

// decide gives the verdict at a level. Lo and Hi are not corrected for the number of metrics,
// PHolm is.
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
	limit := fmt.Sprintf("the margin of %s", judge.Percent(m.Margin))
	switch {
	case m.Verdict == result.Fail:
		return "above " + limit
	case m.Lo == nil || m.Hi == nil:
		return fmt.Sprintf("%d pairs are too few for a level of %.4f", m.Pairs, level)
	case m.PFail <= level:
		return "above " + limit + " alone, but not after Holm's correction"
	case m.MDE != nil && *m.MDE > m.Margin:
		return fmt.Sprintf("the noise is too large to tell: less than %s could not have been seen", judge.Percent(*m.MDE))
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
		return s + ", below the margin of " + judge.Percent(m.Margin)
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
