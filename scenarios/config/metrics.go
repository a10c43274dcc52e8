package config

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	dto "github.com/prometheus/client_model/go"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// watched are the metrics that GitLab's administration guide and the chart's alerts go by, without
// prefix, and whether the standby has them too.
func watched() map[string]bool {
	return map[string]bool{
		"core_unsealed": true, "core_active": true, "runtime_alloc_bytes": true, "runtime_num_goroutines": true,
		"core_handle_request": false, "core_handle_login_request": false, "core_in_flight_requests": false,
		"audit_log_request_failure": false, "audit_log_response_failure": false, "barrier_get": false, "postgres_get": true,
	}
}

// families are the metrics that a pod serves, by name.
func families(ctx context.Context, env *scenario.Env, pod string) (map[string]*dto.MetricFamily, error) {
	raw, err := cluster.Metrics(ctx, env, pod)
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	found, err := parser.TextToMetricFamilies(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("metrics of pod %s: %w", pod, err)
	}
	return found, nil
}

func metricsNames() scenario.Scenario {
	return looking(scenario.Scenario{
		ID:       "config/metrics-present",
		Title:    "Every pod serves the metrics that alerts go by, under one prefix, and they tell its state",
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
				scenario.MustConverge(ctx, t, scenario.Convergence{
					What: "the metrics of pod " + p.Name + " are complete", Interval: env.Timeouts.Poll, Deadline: env.Timeouts.Labels,
				}, func(ctx context.Context) error {
					found, err := families(ctx, env, p.Name)
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
						return fmt.Errorf("%score_active is %v, and it leads: %t", prefix, state, leads)
					}
					return nil
				})
			}
		},
	})
}

// prefixOf is what the names of OpenBao's own metrics begin with.
func prefixOf(found map[string]*dto.MetricFamily) (string, error) {
	for name := range found {
		if prefix, ok := strings.CutSuffix(name, "core_unsealed"); ok {
			return prefix, nil
		}
	}
	return "", fmt.Errorf("among %d metrics there is no core_unsealed", len(found))
}

func latest(family *dto.MetricFamily) float64 {
	metrics := family.GetMetric()
	if len(metrics) == 0 {
		return -1
	}
	return metrics[len(metrics)-1].GetGauge().GetValue()
}

// The number of series that OpenBao may have: that of an empty server with a margin, and what each
// project adds. OpenBao 2.4.0 had 134 with six projects, what the chart's filters drop left out;
// token.creation and identity.entity.creation alone had 384 each with 50 projects after the access
// scenarios, one for each mount and lifetime.
const (
	seriesOfServer  = 300
	seriesOfProject = 8
)

func metricsBounded() scenario.Scenario {
	return looking(scenario.Scenario{
		ID:       "config/metrics-bounded",
		Title:    "No project's name is part of a metric's name, and a project adds a handful of series at most",
		Protects: "Prometheus, which thousands of projects would fill otherwise",
		Source:   "GitLab's OpenBao chart, prefixFilter: route and rollback metrics carry the mount's path in their name",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureMetrics},
		// Catches: a prefix filter that is missing, or that does not fit the prefix.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			active := settled(ctx, t, env)
			found, err := families(ctx, env, active.Name)
			require.NoError(t, err)
			series := 0
			for name, family := range found {
				series += len(family.GetMetric())
				for _, tenant := range env.Tenants {
					if strings.Contains(name, strings.NewReplacer("/", "_", "-", "_").Replace(tenant.Name)) {
						t.Errorf("the metric %s carries the name of project %s", name, tenant.Name)
						return
					}
				}
			}
			t.Measure("series", float64(series))
			limit := seriesOfServer + seriesOfProject*len(env.Tenants)
			if series > limit {
				t.Errorf("%d series with %d projects, want at most %d; the largest families: %s", series, len(env.Tenants), limit,
					largest(found))
			}
		},
	})
}

// largest names the families of most series.
func largest(found map[string]*dto.MetricFamily) string {
	size := func(name string) int { return len(found[name].GetMetric()) }
	names := slices.SortedFunc(maps.Keys(found), func(a, b string) int {
		return cmp.Or(size(b)-size(a), strings.Compare(a, b))
	})
	var most []string
	for _, name := range names[:min(5, len(names))] {
		most = append(most, fmt.Sprintf("%s %d", name, size(name)))
	}
	return strings.Join(most, ", ")
}

func metricsNeedToken() scenario.Scenario {
	return looking(scenario.Scenario{
		ID:       "config/metrics-need-token",
		Title:    "The API's own port gives metrics to nobody without a token",
		Protects: intruders,
		Source:   "OpenBao: listener, telemetry, unauthenticated_metrics_access",
		// Catches: unauthenticated metrics on the port that the Ingress leads to.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			active := settled(ctx, t, env)
			g, err := api(env, *active)
			require.NoError(t, err)
			g.Path = "/v1/sys/metrics?format=prometheus"
			status, _, err := cluster.Ask(ctx, env, active.Name, g)
			require.NoError(t, err)
			require.True(t, status == 400 || status == 403, "metrics on the API's port: status %d", status)
		},
	})
}
