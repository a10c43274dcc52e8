package config

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func metricsPortStaysInside() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/metrics-port-stays-inside",
		Subject:  scenario.SubjectChart,
		Title:    "The metrics port, which needs no token, is reachable only on the pod network",
		Protects: intruders,
		Source:   "GitLab's OpenBao chart, comment at the metrics listener: before OpenBao 2.5 it serves the whole API",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureMetrics},
		// Catches: a Service of type NodePort or LoadBalancer, a host port or the host's network
		// that leads to the metrics.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			active := settled(ctx, t, env)
			c, err := cluster.Server(env, *active)
			require.NoError(t, err)
			require.False(t, active.Spec.HostNetwork, "the pods use the host's network")
			names := []string{fmt.Sprint(env.Metrics)}
			for _, p := range c.Ports {
				require.Zero(t, p.HostPort, "port %s is exposed on the host", p.Name)
				if int(p.ContainerPort) == env.Metrics {
					names = append(names, p.Name)
				}
			}
			services, err := env.Kube.CoreV1().Services(env.Namespace).List(ctx, metav1.ListOptions{})
			require.NoError(t, err)
			for _, s := range services.Items {
				for _, p := range s.Spec.Ports {
					leads := len(s.Spec.Selector) > 0 && labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(role(active, s)))
					if leads && s.Spec.Type != corev1.ServiceTypeClusterIP && slices.Contains(names, p.TargetPort.String()) {
						t.Errorf("Service %s of type %s leads to the metrics", s.Name, s.Spec.Type)
					}
				}
			}
			status, _, err := cluster.Ask(ctx, env, active.Name, cluster.Get{
				Scheme: env.Scheme(), Port: env.Metrics, Path: "/v1/sys/seal-status",
			})
			require.NoError(t, err)
			t.Logf("the metrics listener answers the API with status %d (%s)", status, strings.ToLower(http.StatusText(status)))
			alone, err := metricsAlone(ctx, env)
			require.NoError(t, err)
			if alone && status < http.StatusBadRequest {
				t.Errorf("the configuration says metrics_only, but the metrics port answers the API with status %d", status)
			}
		},
	}
}

// metricsAlone reports whether the chart's configuration asks for a listener that serves nothing
// but metrics, and the OpenBao that answers can do that.
func metricsAlone(ctx context.Context, env *scenario.Env) (bool, error) {
	able, err := env.AtLeast(ctx, openbao.MetricsOnlySince)
	if err != nil || !able {
		return false, err
	}
	maps, err := env.Kube.CoreV1().ConfigMaps(env.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	for _, m := range maps.Items {
		for _, text := range m.Data {
			if asksForMetricsAlone(text) {
				return true, nil
			}
		}
	}
	return false, nil
}

// asksForMetricsAlone reports whether a JSON configuration has a listener with metrics_only.
func asksForMetricsAlone(text string) bool {
	var config struct {
		Listener []map[string]struct {
			Telemetry struct {
				Only bool `json:"metrics_only"`
			}
		}
	}
	if json.Unmarshal([]byte(text), &config) != nil {
		return false
	}
	for _, kinds := range config.Listener {
		for _, listener := range kinds {
			if listener.Telemetry.Only {
				return true
			}
		}
	}
	return false
}
