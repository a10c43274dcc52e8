package report

import (
	"io"
	"sort"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"gitlab.com/steamer/steamer/harness/result"
)

// gauges collects metric families in order of their names.
type gauges map[string]*dto.MetricFamily

// add appends one value; labels are name, value, name, value, ...
func (g gauges) add(name, help string, value float64, labels ...string) {
	f := g[name]
	if f == nil {
		f = &dto.MetricFamily{Name: &name, Help: &help, Type: dto.MetricType_GAUGE.Enum()}
		g[name] = f
	}
	value = round(value)
	m := &dto.Metric{Gauge: &dto.Gauge{Value: &value}}
	for i := 0; i+1 < len(labels); i += 2 {
		m.Label = append(m.Label, &dto.LabelPair{Name: &labels[i], Value: &labels[i+1]})
	}
	f.Metric = append(f.Metric, m)
}

// OpenMetrics writes the figures of the run as OpenMetrics text: a fixed set of
// gauges, sorted, rounded and without timestamps, because GitLab's metrics
// report compares two runs line by line as text.
func OpenMetrics(w io.Writer, r *result.Result) error {
	g := gauges{}
	g.add("steamer_verdict", "Verdict of the run: 1 for the one it has.", one(r.Verdict == result.Pass), "verdict", "pass")
	g.add("steamer_verdict", "", one(r.Verdict == result.Fail), "verdict", "fail")
	g.add("steamer_verdict", "", one(r.Verdict == result.Inconclusive), "verdict", "inconclusive")
	for i := range r.Topologies {
		t := &r.Topologies[i]
		passed, failed, skipped := t.Count()
		const scenarios = "Scenarios by outcome."
		g.add("steamer_scenarios", scenarios, float64(failed), "topology", t.Name, "status", "failed")
		g.add("steamer_scenarios", scenarios, float64(passed), "topology", t.Name, "status", "passed")
		g.add("steamer_scenarios", scenarios, float64(skipped), "topology", t.Name, "status", "skipped")
		if t.Load != nil {
			g.load(t)
		}
	}
	names := make([]string, 0, len(g))
	for n := range g {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		if _, err := expfmt.MetricFamilyToOpenMetrics(w, g[n]); err != nil {
			return err
		}
	}
	_, err := expfmt.FinalizeOpenMetrics(w)
	return err
}

func (g gauges) load(t *result.Topology) {
	l := t.Load
	for _, d := range []struct {
		from string
		result.Distribution
	}{{"actual", l.Actual}, {"intended", l.Intended}} {
		for _, q := range []struct {
			q string
			v float64
		}{{"0.5", d.P50}, {"0.9", d.P90}, {"0.95", d.P95}, {"0.99", d.P99}} {
			g.add("steamer_fetch_latency_milliseconds", "Latency of a secret fetch, from its actual or intended start.", q.v,
				"topology", t.Name, "start", d.from, "quantile", q.q)
		}
	}
	g.add("steamer_fetch_rate", "Completed fetches per second while measuring.", l.AchievedRate, "topology", t.Name)
	g.add("steamer_fetches_failed", "Fetches that got no secret while measuring.", float64(l.Failed), "topology", t.Name)
	g.add("steamer_fetches_wrong", "Fetches that got a wrong value while measuring.", float64(l.Wrong), "topology", t.Name)
	for _, c := range []string{"openbao", "postgresql"} {
		if v, ok := t.CPUPerFetch(c); ok {
			g.add("steamer_cpu_milliseconds_per_fetch", "CPU time a component used per fetch.", v, "topology", t.Name, "component", c)
		}
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
