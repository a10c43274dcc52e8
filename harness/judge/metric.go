package judge

import (
	"fmt"
	"math"
	"strings"

	"gitlab.com/steamer/steamer/harness/result"
)

// The metrics with rules of their own.
const (
	errorRate     = "error_rate"         // failed fetches, of all: what jobs see
	attemptErrors = "attempt_error_rate" // failed requests, of all: before repetitions hint any
	wrongValues   = "wrong_values"       // always limited to 0
	achievedRatio = "achieved_ratio"     // achieved of the offered rate; a validity condition, see Validity
)

// Metrics lists what a Limit can bound. fetch_*_ms are latencies from the
// intended start of a fetch, fetch_actual_*_ms from its actual start.
// *_cpu_ms_per_fetch is CPU time. The other openbao_* take the worst OpenBao
// container: the ratio of CFS periods it was throttled in, its mean CPU use and
// peak memory as ratios of its CPU request and memory limit, its peak memory in MiB.
func Metrics() []string {
	names := []string{errorRate, attemptErrors, wrongValues, achievedRatio}
	for _, from := range []string{"fetch_", "fetch_actual_"} {
		for _, q := range []string{"mean", "p50", "p90", "p95", "p99", "p999"} {
			names = append(names, from+q+"_ms")
		}
	}
	return append(names, "openbao_cpu_ms_per_fetch", "postgresql_cpu_ms_per_fetch", "openbao_throttled_ratio",
		"openbao_cpu_of_request", "openbao_memory_of_limit", "openbao_memory_mib")
}

// reading is a metric's value, or why there is none.
type reading struct {
	title   string
	value   float64
	unit    string // "ms", "MiB" or "%"; a value in % is a ratio times 100
	latency bool   // the environment's allowance applies
	missing string // why there is no value
	thin    string // why the value alone says little, for comparisons, which compare values
}

// minTail is how many fetches must lie beyond a quantile before two of its values are compared.
// With fewer the estimate moves by more than 10 % from run to run by chance alone (relative
// standard error of a count of 100 is 1/sqrt(100)). Objectives are judged by bounds instead.
const minTail = 100

// read evaluates one of Metrics on a topology with load.
func read(metric string, t *result.Topology) reading {
	if q, ok := strings.CutPrefix(metric, "fetch_actual_"); ok {
		return latency(metric, strings.TrimSuffix(q, "_ms"), "from the actual start", t.Load, t.Load.Actual)
	}
	if q, ok := strings.CutPrefix(metric, "fetch_"); ok {
		return latency(metric, strings.TrimSuffix(q, "_ms"), "from the intended start", t.Load, t.Load.Intended)
	}
	if component, ok := strings.CutSuffix(metric, "_cpu_ms_per_fetch"); ok {
		name := map[string]string{"openbao": "OpenBao", "postgresql": "PostgreSQL"}[component]
		r := reading{title: "CPU time of " + name + " per fetch", unit: "ms"}
		ms, ok := t.CPUPerFetch(component)
		if r.value = ms; !ok {
			r.missing = "too few CPU samples of " + name + " in the measured time"
		}
		return r
	}
	if metric == errorRate {
		r := reading{title: "failed fetches", unit: "%", missing: "no fetch was completed"}
		if n := t.Load.Fetches; n > 0 {
			r.value, r.missing = 100*float64(t.Load.Failed)/float64(n), ""
		}
		return r
	}
	if metric == attemptErrors {
		r := reading{
			title: "failed requests, before any repetition", unit: "%",
			missing: "requests were not counted apart from fetches",
		}
		if rate, ok := t.Load.Attempts.RawErrorRate(); ok {
			r.value, r.missing = 100*rate, ""
		}
		return r
	}
	return container(metric, t)
}

// FetchesFor is how many fetches a latency among Metrics takes before its value is compared with
// another: those that put minTail of them beyond the quantile, of a mean as many. known is false
// for every other metric.
func FetchesFor(metric string) (n int64, known bool) {
	q, known := quantileOf(metric)
	if !known {
		return 0, false
	}
	if q.allowed == 0 {
		return minTail, true
	}
	return int64(math.Round(minTail / q.allowed)), true
}

func latency(metric, name, from string, l *result.Load, d result.Distribution) reading {
	value := map[string]float64{
		"mean": d.Mean, "p50": d.P50, "p90": d.P90, "p95": d.P95, "p99": d.P99,
		"p999": d.P999,
	}[name]
	r := reading{title: strings.Replace(name, "p999", "p99.9", 1) + " " + from, value: value, unit: "ms", latency: true}
	need, _ := FetchesFor(metric)
	switch {
	case d.Count == 0:
		r.missing = "no latency was recorded"
	case d.Count != l.Fetches:
		r.missing = fmt.Sprintf("%d of %d fetches have a latency", d.Count, l.Fetches)
	case d.Count < need:
		r.thin = fmt.Sprintf("%d fetches are too few: %d put %d beyond the quantile", d.Count, need, minTail)
	}
	return r
}

// container evaluates a metric of the OpenBao containers; the worst one counts. One that nobody
// sampled may be the worst, so that the metric is missing.
func container(metric string, t *result.Topology) reading {
	r := reading{unit: "%", missing: "OpenBao was not observed"}
	r.title = map[string]string{
		"openbao_throttled_ratio": "CPU throttling of OpenBao", "openbao_memory_mib": "peak memory of OpenBao",
		"openbao_memory_of_limit": "peak memory of OpenBao, of its limit",
		"openbao_cpu_of_request":  "CPU of OpenBao, of its request",
	}[metric]
	w, judged := t.Load.Measured(), false
	for i := range t.Resources {
		s := &t.Resources[i]
		if s.Component != "openbao" || !s.Lived(w) {
			continue
		}
		v, given, ok := 0.0, 1.0, false
		switch metric {
		case "openbao_throttled_ratio":
			if s.Coarse {
				r.missing = "the kubelet's summary does not have it"
				return r
			}
			v, ok = s.MeanThrottled(w)
			v *= 100
		case "openbao_memory_mib":
			v, ok = s.PeakMemory(w)
			r.unit = "MiB"
		case "openbao_memory_of_limit":
			v, ok = s.PeakMemory(w)
			v, given = 100*v, s.MemoryLimit
		case "openbao_cpu_of_request":
			v, ok = s.CPUCores(w)
			v, given = 100*v, s.CPURequest
		}
		switch {
		case !ok:
			r.missing = "not all of OpenBao's containers were sampled in the measured time"
			return r
		case given == 0: // a ratio to what it does not have says nothing
			if !judged {
				r.missing = "the container's request or limit is unknown"
			}
			continue
		}
		judged, r.missing, r.value = true, "", max(r.value, v/given)
	}
	return r
}

// Describe says in words what one of Metrics measures, and its unit. A share's unit is "0 to 1".
func Describe(metric string) (title, unit string) {
	switch metric {
	case wrongValues:
		return "fetches that got a wrong value, warm-up included", "fetches"
	case achievedRatio:
		return "achieved of the offered rate; a condition of a valid measurement", "0 to 1"
	}
	r := read(metric, &result.Topology{Load: &result.Load{}})
	if r.unit == "%" {
		r.unit = "0 to 1"
	}
	if metric == "openbao_memory_mib" {
		r.unit = "MiB"
	}
	return r.title, r.unit
}
