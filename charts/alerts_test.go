package charts_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/alerts"
)

// series are metrics over forty minutes in promtool's notation, one value a minute.
type series map[string]string

// healthySeries are those of two pods, of which A is active and fetches are answered in 3 ms.
// Names and labels are those that OpenBao 2.4.0, cAdvisor and kube-state-metrics serve.
func healthySeries() series {
	return series{
		"openbao_core_unsealed{A}": "1x40", "openbao_core_unsealed{B}": "1x40",
		"openbao_core_active{A}": "1x40", "openbao_core_active{B}": "0x40",
		"openbao_core_leadership_lost_count{A}":         "1x40",
		"openbao_core_leadership_setup_failed_count{A}": "0x40",
		"openbao_audit_log_request_failure{A}":          "0x40", "openbao_audit_log_response_failure{A}": "0x40",
		"openbao_core_handle_request_sum{A}": "0+300x40", "openbao_core_handle_request_count{A}": "0+100x40",
		"openbao_core_handle_request{A,quantile=\"0.99\"}": "6x40",
		"openbao_core_in_flight_requests{A}":               "1x40",
		"openbao_postgres_get_sum{A}":                      "0+100x40", "openbao_postgres_get_count{A}": "0+100x40",
		"container_cpu_cfs_throttled_periods_total{A,C}": "0+1x40", "container_cpu_cfs_periods_total{A,C}": "0+600x40",
		"container_cpu_usage_seconds_total{A,C}":                      "0+6x40",
		"kube_pod_container_resource_requests{A,C,resource=\"cpu\"}":  "1x40",
		"container_memory_working_set_bytes{A,C}":                     "600x40",
		"kube_pod_container_resource_limits{A,C,resource=\"memory\"}": "1000x40",
	}
}

// TestAlertsFire evaluates every alert as Prometheus does: silent while all is well, and fired in
// the fault that it is for, by that fault alone. Each fault lasts from the tenth minute on.
func TestAlertsFire(t *testing.T) {
	t.Parallel()
	rules, err := alerts.Rules(map[string]string{
		"rules": renderOpenBao(t, "prometheusRule: {enabled: true}", "templates/prometheusrule.yaml"),
	})
	require.NoError(t, err)
	require.Empty(t, firedBy(t, rules, nil), "nothing is wrong")
	faults := map[string]series{
		"OpenBaoSealed":        {"openbao_core_unsealed{B}": "1x9 0x30"},
		"OpenBaoNoActive":      {"openbao_core_active{A}": "1x9 0x30"},
		"OpenBaoSeveralActive": {"openbao_core_active{B}": "0x9 1x30"},
		"OpenBaoLeadershipChanges": {
			"openbao_core_leadership_lost_count{A}": "1x9 2 3 4 5x27",
		},
		"OpenBaoAuditFailing":     {"openbao_audit_log_response_failure{A}": "0x9 3+3x30"},
		"OpenBaoRequestsSlow":     {"openbao_core_handle_request_sum{A}": "0+300x9 5300+2500x30"},
		"OpenBaoRequestsSlowP99":  {"openbao_core_handle_request{A,quantile=\"0.99\"}": "6x9 40x30"},
		"OpenBaoRequestsInFlight": {"openbao_core_in_flight_requests{A}": "1x9 30x30"},
		"OpenBaoDatabaseSlow":     {"openbao_postgres_get_sum{A}": "0+100x9 1900+1000x30"},
		"OpenBaoThrottled":        {"container_cpu_cfs_throttled_periods_total{A,C}": "0+1x9 310+300x30"},
		"OpenBaoCPUHigh":          {"container_cpu_usage_seconds_total{A,C}": "0+6x9 105+51x30"},
		"OpenBaoMemoryHigh":       {"container_memory_working_set_bytes{A,C}": "600x9 950x30"},
	}
	for _, rule := range rules {
		require.Contains(t, faults, rule.Alert, "no fault is known for this alert")
	}
	for alert, fault := range faults {
		t.Run(alert, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, []string{alert}, firedBy(t, rules, fault))
		})
	}
	t.Run("an outage that is over before the alert's time", func(t *testing.T) {
		t.Parallel()
		require.Empty(t, firedBy(t, rules, series{
			"openbao_core_unsealed{B}": "1x9 0 0 1x28", "openbao_core_active{A}": "1x9 0 1x29",
		}))
	})
	t.Run("no pod is left", func(t *testing.T) {
		t.Parallel()
		gone := series{}
		for name, values := range healthySeries() {
			gone[name] = strings.Replace(values, "x40", "x9 stale _x29", 1)
		}
		require.Equal(t, []string{"OpenBaoNoActive"}, firedBy(t, rules, gone))
	})
}

// firedBy returns the alerts that fire when some series are replaced.
func firedBy(t *testing.T, rules []alerts.Rule, fault series) []string {
	t.Helper()
	all := healthySeries()
	for name := range fault {
		require.Contains(t, all, name)
	}
	maps.Copy(all, fault)
	var recording alerts.Recording
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	labels := strings.NewReplacer(
		"A", `namespace="`+namespace+`",pod="openbao-5d5f9c-x2x7k"`,
		"B", `namespace="`+namespace+`",pod="openbao-5d5f9c-b4b9z"`,
		"C", `container="openbao-server"`,
	)
	var times []time.Time
	for name, values := range all {
		metric, rest, _ := strings.Cut(name, "{")
		text := metric + "{" + labels.Replace(rest) + " " + values
		of, sequence, err := parser.NewParser(parser.Options{}).ParseSeriesDesc(text)
		require.NoError(t, err)
		times = times[:0]
		for minute, v := range sequence {
			at := start.Add(time.Duration(minute) * time.Minute)
			times = append(times, at)
			if !v.Omitted {
				recording.Add(at, of, v.Value)
			}
		}
	}
	outcomes, err := recording.Evaluate(t.Context(), rules, times)
	require.NoError(t, err)
	var fired []string
	for _, o := range outcomes {
		require.Empty(t, o.Missing, o.Alert)
		if o.Fired {
			fired = append(fired, o.Alert)
		}
	}
	slices.Sort(fired)
	return fired
}
