package report

import (
	"io"
	"maps"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"gitlab.com/steamer/steamer/harness/result"
)

// Family is a gauge that OpenMetrics writes.
type Family struct {
	Name, Help string
	Labels     []string
}

// Families lists the gauges, by name.
func Families() []Family {
	return []Family{
		{"steamer_cost", "What a fetch or 1,000 tenants cost, by the name in result.json.", []string{"topology", "cost"}},
		{"steamer_cpu_milliseconds_per_fetch", "CPU time a component used per fetch.", []string{"topology", "component"}},
		{
			"steamer_fetch_latency_milliseconds", "Latency of a secret fetch, from its actual or intended start.",
			[]string{"topology", "start", "quantile"},
		},
		{"steamer_fetch_rate", "Completed fetches per second while measuring.", []string{"topology"}},
		{"steamer_fetches", "Completed fetches while measuring.", []string{"topology"}},
		{"steamer_fetches_dropped", "Arrivals that k6 could not start on time.", []string{"topology"}},
		{"steamer_fetches_failed", "Fetches that got no secret while measuring.", []string{"topology"}},
		{"steamer_fetches_wrong", "Fetches that got a wrong value while measuring.", []string{"topology"}},
		{"steamer_objective_headroom_ratio", "What is left of a judged objective's limit, as a share of it; negative where it was missed.", []string{"topology", "objective"}},
		{"steamer_openbao_memory_peak_mebibytes", "Largest working set of an OpenBao pod under load.", []string{"topology"}},
		{
			"steamer_part_latency_milliseconds", "Latency of a part of a fetch, or of all of one kind of operation.",
			[]string{"topology", "part", "quantile"},
		},
		{"steamer_requests", "Single requests while measuring, repetitions included.", []string{"topology"}},
		{
			"steamer_requests_failed", "Single requests that failed while measuring, whether a retry succeeded or not.",
			[]string{"topology"},
		},
		{"steamer_scenarios", "Scenarios by outcome.", []string{"topology", "status"}},
		{"steamer_verdict", "Verdict of the run: 1 for the one it has.", []string{"verdict"}},
	}
}

// gauges collects metric families by name.
type gauges map[string]*dto.MetricFamily

// add appends one value of a family; values are those of its labels, in order.
func (g gauges) add(name string, value float64, values ...string) {
	i := slices.IndexFunc(Families(), func(f Family) bool { return f.Name == name })
	family := Families()[i]
	f := g[name]
	if f == nil {
		f = &dto.MetricFamily{Name: &family.Name, Help: &family.Help, Type: dto.MetricType_GAUGE.Enum()}
		g[name] = f
	}
	value = round(value)
	m := &dto.Metric{Gauge: &dto.Gauge{Value: &value}}
	for i := range family.Labels {
		m.Label = append(m.Label, &dto.LabelPair{Name: &family.Labels[i], Value: &values[i]})
	}
	f.Metric = append(f.Metric, m)
}

// openMetrics writes the figures of the run as OpenMetrics text: a fixed set of
// gauges, sorted, rounded and without timestamps, because GitLab's metrics
// report compares two runs line by line as text.
func openMetrics(w io.Writer, r *result.Result) error {
	g := gauges{}
	g.add("steamer_verdict", one(r.Verdict == result.Pass), "pass")
	g.add("steamer_verdict", one(r.Verdict == result.Fail), "fail")
	g.add("steamer_verdict", one(r.Verdict == result.Inconclusive), "inconclusive")
	for i := range r.Topologies {
		t := &r.Topologies[i]
		passed, failed, skipped := t.Count()
		g.add("steamer_scenarios", float64(failed), t.Name, "failed")
		g.add("steamer_scenarios", float64(passed), t.Name, "passed")
		g.add("steamer_scenarios", float64(skipped), t.Name, "skipped")
		if t.Load != nil {
			g.load(t)
		}
	}
	for _, f := range Families() {
		if g[f.Name] == nil {
			continue
		}
		if _, err := expfmt.MetricFamilyToOpenMetrics(w, g[f.Name]); err != nil {
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
		if d.Count == 0 {
			continue // a 0 would be the best latency of all
		}
		for _, q := range []struct {
			q string
			v float64
		}{{"0.5", d.P50}, {"0.9", d.P90}, {"0.95", d.P95}, {"0.99", d.P99}} {
			g.add("steamer_fetch_latency_milliseconds", q.v, t.Name, d.from, q.q)
		}
	}
	if rated(l) {
		g.add("steamer_fetch_rate", l.AchievedRate, t.Name)
	}
	g.add("steamer_fetches", float64(l.Fetches), t.Name)
	g.add("steamer_fetches_dropped", float64(l.Dropped), t.Name)
	g.add("steamer_fetches_failed", float64(l.Failed), t.Name)
	g.add("steamer_fetches_wrong", float64(l.Wrong), t.Name)
	if a := l.Attempts; a != nil {
		g.add("steamer_requests", float64(a.Count), t.Name)
		g.add("steamer_requests_failed", float64(a.Failed), t.Name)
	}
	g.parts(t.Name, "", l.Steps)
	g.parts(t.Name, "all_of_", l.Kinds)
	for _, c := range []string{"openbao", "postgresql"} {
		if v, ok := t.CPUPerFetch(c); ok {
			g.add("steamer_cpu_milliseconds_per_fetch", v, t.Name, c)
		}
	}
	if t.Cost != nil {
		for _, c := range t.Cost.Table() {
			if c.Value != nil {
				g.add("steamer_cost", *c.Value, t.Name, c.ID)
			}
		}
	}
	for _, c := range t.Checks {
		if c.Kind == "slo" && !c.Informational && c.Headroom != 0 {
			g.add("steamer_objective_headroom_ratio", c.Headroom, t.Name, c.ID)
		}
	}
	if peak, ok := t.PeakMemory("openbao", t.Load.Whole()); ok {
		g.add("steamer_openbao_memory_peak_mebibytes", peak, t.Name)
	}
}

// parts adds the median and the p95 of each part, by name.
func (g gauges) parts(topology, prefix string, parts map[string]result.Distribution) {
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		g.add("steamer_part_latency_milliseconds", parts[name].P50, topology, prefix+name, "0.5")
		g.add("steamer_part_latency_milliseconds", parts[name].P95, topology, prefix+name, "0.95")
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
