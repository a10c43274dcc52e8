package config

import (
	"context"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	dto "github.com/prometheus/client_model/go"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// watched are the metrics that GitLab's administration guide and the chart's alerts use, without
// their prefix, and whether the standby has them too.
func watched() map[string]bool {
	return map[string]bool{
		"core_unsealed": true, "core_active": true, "runtime_alloc_bytes": true, "runtime_num_goroutines": true,
		"core_handle_request": false, "core_handle_login_request": false, "core_in_flight_requests": false,
		"audit_log_request_failure": false, "audit_log_response_failure": false, "barrier_get": false, "postgres_get": true,
	}
}

func metricsPresent() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/metrics-present",
		Subject:  scenario.SubjectChart,
		Title:    "Every pod serves the metrics that alerts use, and they match its state",
		Protects: scrapers,
		Source:   "GitLab's administration guide of the secrets manager, monitoring; GitLab's OpenBao chart, metricsPrefix",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureMetrics},
		// Catches: telemetry off, a filter that drops what an alert needs, a prefix that differs
		// from the alerts'.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			active := settled(ctx, t, env)
			require.NoError(t, env.Check(ctx, env.Tenants[0], env.Tenants[0].Secrets[0])) // so that there is something to count
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			for _, p := range pods {
				leads := p.UID == active.UID
				env.Await(ctx, t, "the metrics of pod "+p.Name+" are complete", env.Timeouts.Labels,
					func(ctx context.Context) error {
						found, err := cluster.Metrics(ctx, env, p.Name)
						if err != nil {
							return err
						}
						prefix, err := prefixOf(found)
						if err != nil {
							return err
						}
						for name, everywhere := range watched() {
							if found[prefix+name] == nil && (leads || everywhere) {
								return fmt.Errorf("there is no metric %s%s", prefix, name)
							}
						}
						if state := latest(found[prefix+"core_unsealed"]); state != 1 {
							return fmt.Errorf("%score_unsealed is %v", prefix, state)
						}
						if state := latest(found[prefix+"core_active"]); (state == 1) != leads {
							return fmt.Errorf("%score_active is %v, but the pod is active: %t", prefix, state, leads)
						}
						return nil
					})
			}
		},
	}
}

// prefixOf is what the names of OpenBao's own metrics begin with.
func prefixOf(found map[string]*dto.MetricFamily) (string, error) {
	for name := range found {
		if prefix, ok := strings.CutSuffix(name, "core_unsealed"); ok {
			return prefix, nil
		}
	}
	return "", fmt.Errorf("none of %d metrics is core_unsealed", len(found))
}

func latest(family *dto.MetricFamily) float64 {
	metrics := family.GetMetric()
	if len(metrics) == 0 {
		return -1
	}
	return metrics[len(metrics)-1].GetGauge().GetValue()
}
