package observe

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// counters is one page of OpenBao's metrics, as far as it is used. Names are in
// result.ServerSample.
type counters struct {
	requests, handleMs float64 // cumulative
	inFlight           float64
	active, unsealed   bool
	lost               float64 // cumulative
	heap               float64 // bytes
	goroutines, leases float64
}

// wanted are the metrics read, without prefix, and the suffixes that Prometheus' text format gives
// the parts of a summary.
var wanted = []string{
	"core_handle_request", "core_handle_request_sum", "core_handle_request_count", "core_in_flight_requests",
	"core_active", "core_unsealed",
	"core_leadership_lost", "core_leadership_lost_sum", "core_leadership_lost_count",
	"runtime_alloc_bytes", "runtime_num_goroutines", "expire_num_leases",
}

// unsealed is the metric that every OpenBao has, sealed or not; what comes before it is the
// prefix.
const unsealed = "core_unsealed"

// parseExposition reads a page of metrics in Prometheus' text format. Unused lines
// are dropped before the parser sees them, because a page has hundreds and is read every second.
func parseExposition(page []byte) (counters, error) {
	var c counters
	kept := make([]byte, 0, 4<<10)
	for line := range bytes.Lines(page) {
		if isWanted(metricName(line)) {
			kept = append(kept, line...)
		}
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(kept))
	if err != nil {
		return c, fmt.Errorf("not Prometheus' text format: %w", err)
	}
	prefix, found := "", false
	for name := range families {
		if prefix, found = strings.CutSuffix(name, unsealed); found {
			break
		}
	}
	if !found {
		return c, errors.New("it has no core_unsealed, so it is not OpenBao's")
	}
	get := func(name string) *dto.MetricFamily { return families[prefix+name] }
	c.requests, c.handleMs = countAndSum(get("core_handle_request"))
	c.lost, _ = countAndSum(get("core_leadership_lost"))
	c.inFlight = gauge(get("core_in_flight_requests"))
	c.active, c.unsealed = gauge(get("core_active")) == 1, gauge(get(unsealed)) == 1
	c.heap, c.goroutines, c.leases = gauge(get("runtime_alloc_bytes")), gauge(get("runtime_num_goroutines")),
		gauge(get("expire_num_leases"))
	return c, nil
}

// metricName is the name of the metric that a line of the text format is about; HELP lines are
// about none.
func metricName(line []byte) []byte {
	if comment, ok := bytes.CutPrefix(line, []byte("# TYPE ")); ok {
		line = comment
	} else if bytes.HasPrefix(line, []byte("#")) {
		return nil
	}
	if end := bytes.IndexAny(line, "{ \t\n"); end >= 0 {
		line = line[:end]
	}
	return line
}

func isWanted(name []byte) bool {
	for _, suffix := range wanted {
		if bytes.HasSuffix(name, []byte(suffix)) {
			return true
		}
	}
	return false
}

// countAndSum adds up count and sum of all series of a summary.
func countAndSum(family *dto.MetricFamily) (count, sum float64) {
	for _, m := range family.GetMetric() {
		count += float64(m.GetSummary().GetSampleCount())
		sum += m.GetSummary().GetSampleSum()
	}
	return count, sum
}

// gauge is the last series' value: before OpenBao knows its cluster's name it has one without that
// label, which then no longer changes.
func gauge(family *dto.MetricFamily) float64 {
	metrics := family.GetMetric()
	if len(metrics) == 0 {
		return 0
	}
	return metrics[len(metrics)-1].GetGauge().GetValue()
}
