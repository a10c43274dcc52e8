package config

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	dto "github.com/prometheus/client_model/go"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// The number of series that OpenBao may have: an empty server with a margin, and what each project
// adds. OpenBao 2.4.0 had 122, and two for each namespace that existed since its start, after the
// chart's filters; token.creation and identity.entity.creation add about four each, one for each
// mount and lifetime.
const (
	seriesOfServer  = 300
	seriesOfProject = 6
)

func metricsBounded() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/metrics-bounded",
		Subject:  scenario.SubjectChart,
		Title:    "No metric name contains a project, and a project adds only a few series",
		Protects: "Prometheus from a number of series that grows with every project",
		Source:   "GitLab's OpenBao chart, prefixFilter: route and rollback metrics carry the mount's path in their name",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureMetrics},
		// Catches: a prefix filter that is missing or does not match the prefix.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			active := settled(ctx, t, env)
			found, err := cluster.Metrics(ctx, env, active.Name)
			require.NoError(t, err)
			series, namespaces := 0, map[string]bool{}
			for name, family := range found {
				series += len(family.GetMetric())
				for _, metric := range family.GetMetric() {
					for _, label := range metric.GetLabel() {
						if label.GetName() == "namespace" {
							namespaces[label.GetValue()] = true
						}
					}
				}
				for _, tenant := range env.Tenants {
					if strings.Contains(name, strings.NewReplacer("/", "_", "-", "_").Replace(tenant.Name)) {
						t.Errorf("the metric name %s contains the name of project %s", name, tenant.Name)
						return
					}
				}
			}
			t.Measure("series", float64(series))
			projects := max(len(env.Tenants), len(namespaces)) // scenarios before this one had some of their own
			if limit := seriesOfServer + seriesOfProject*projects; series > limit {
				t.Errorf("%d series with %d projects, want at most %d; the largest families: %s", series, projects, limit,
					largest(found))
			}
		},
	}
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
