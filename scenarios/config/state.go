package config

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// healthy are OpenBao's health answers by role, with standbyok and without.
// Source: OpenBao API, sys/health.
const (
	activeCode  = http.StatusOK
	standbyCode = http.StatusTooManyRequests
)

func healthCodes() scenario.Scenario {
	return looking(scenario.Scenario{
		ID:       "config/health-codes",
		Title:    "The health endpoint tells the active pod, 200, from the standby, 429, and both are 200 where standbys may answer",
		Protects: "load balancers and probes, which know a pod's state by this code alone",
		Source:   "OpenBao API: sys/health; vault-helm #1173 and openbao-helm #189: 429 made standbys unready",
		// Catches: a standby that calls itself active, a health endpoint that needs a token, labels
		// that do not agree with it.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			settled(ctx, t, env)
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			for _, p := range pods {
				g, err := api(env, p)
				require.NoError(t, err)
				want := standbyCode
				if p.Labels[cluster.LabelActive] == "true" {
					want = activeCode
				}
				for path, code := range map[string]int{"/v1/sys/health": want, "/v1/sys/health?standbyok=true": http.StatusOK} {
					g.Path = path
					status, raw, err := cluster.Ask(ctx, env, p.Name, g)
					require.NoError(t, err)
					require.Equal(t, code, status, "%s of pod %s, labelled active=%s", path, p.Name, p.Labels[cluster.LabelActive])
					var health struct{ Initialized, Sealed, Standby bool }
					require.NoError(t, json.Unmarshal(raw, &health))
					require.True(t, health.Initialized && !health.Sealed && health.Standby == (want == standbyCode),
						"%s of pod %s: %+v", path, p.Name, health)
				}
			}
		},
	})
}

// settled waits until the deployment is in its normal state, which a scenario before this one may
// have left a moment ago.
func settled(ctx context.Context, t scenario.T, env *scenario.Env) *corev1.Pod {
	t.Helper()
	return cluster.MustHealthy(ctx, t, env, "the deployment is healthy",
		scenario.Convergence{Deadline: env.Timeouts.Labels})
}

// api is a request to the port of a pod's API, which its readiness probe goes to as well.
func api(env *scenario.Env, p corev1.Pod) (cluster.Get, error) {
	c, err := cluster.Server(env, p)
	if err != nil {
		return cluster.Get{}, err
	}
	if c.ReadinessProbe == nil || c.ReadinessProbe.HTTPGet == nil {
		return cluster.Get{}, fmt.Errorf("pod %s has no readiness probe by HTTP", p.Name)
	}
	return cluster.Probed(c, c.ReadinessProbe.HTTPGet), nil
}

func probes() scenario.Scenario {
	return looking(scenario.Scenario{
		ID:       "config/probes-agree",
		Title:    "Readiness is asked of OpenBao's health, and every probe of every ready pod succeeds when made by hand",
		Protects: "pods from being restarted or taken out of service for no reason, and jobs from pods that cannot serve",
		Source:   "Kubernetes: container probes; build/CNG!3201: health answers within the probe's timeout",
		// Catches: a probe on a path that always answers, on the wrong port, or that takes a
		// standby for broken; no probe at all.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			settled(ctx, t, env)
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			for _, p := range pods {
				c, err := cluster.Server(env, p)
				require.NoError(t, err)
				for name, probe := range map[string]*corev1.Probe{
					"startup": c.StartupProbe, "readiness": c.ReadinessProbe,
					"liveness": c.LivenessProbe,
				} {
					if probe == nil {
						require.NotEqual(t, "readiness", name, "pod %s has no readiness probe", p.Name)
						continue
					}
					if probe.HTTPGet == nil {
						t.Logf("%s probe of %s is no HTTP request", name, p.Name)
						continue
					}
					g := cluster.Probed(c, probe.HTTPGet)
					require.Contains(t, g.Path, "/v1/sys/health", "%s probe of pod %s", name, p.Name)
					started := time.Now()
					status, _, err := cluster.Ask(ctx, env, p.Name, g)
					require.NoError(t, err)
					require.True(t, status >= 200 && status < 400, "%s probe of pod %s answers %d", name, p.Name, status)
					t.Measure(name+"_probe_milliseconds", float64(time.Since(started).Microseconds())/1000)
				}
			}
		},
	})
}

func serviceRoles() scenario.Scenario {
	return looking(scenario.Scenario{
		ID:       "config/services-by-role",
		Title:    "The Services for active and inactive pods have exactly those behind them, on a port that is there",
		Protects: "clients of either Service",
		Source:   "openbao-helm #12 and #14: selectors that match no label; vault-helm #318; OpenBao service registration",
		// Catches: a selector that misses the pods, or the wrong ones, a target port that no
		// container has.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			active := settled(ctx, t, env)
			services, err := env.Kube.CoreV1().Services(env.Namespace).List(ctx, metav1.ListOptions{})
			require.NoError(t, err)
			looked := 0
			for _, s := range services.Items {
				if len(s.Spec.Selector) == 0 || !labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(role(active, s))) {
					continue
				}
				looked++
				endpoints, err := cluster.Endpoints(ctx, env, s.Name)
				require.NoError(t, err)
				require.NotEmpty(t, endpoints, "nobody is behind Service %s", s.Name)
				wanted := s.Spec.Selector[cluster.LabelActive]
				for _, e := range endpoints {
					require.True(t, e.Ready || s.Spec.PublishNotReadyAddresses, "pod %s behind Service %s is not ready", e.Pod, s.Name)
					if wanted != "" {
						require.Equal(t, wanted == "true", e.Pod == active.Name, "pod %s is behind Service %s; active is %s", e.Pod,
							s.Name, active.Name)
					}
				}
				c, err := cluster.Server(env, *active)
				require.NoError(t, err)
				for _, port := range s.Spec.Ports {
					require.True(t, has(c, port.TargetPort.String(), port.Port),
						"port %s of Service %s leads to %s, which no container has", port.Name, s.Name, port.TargetPort.String())
				}
			}
			require.NotZero(t, looked, "no Service leads to OpenBao")
			t.Logf("looked at %d Services", looked)
		},
	})
}

// role is the active pod's labels with the role that a Service asks for, so that Services for
// standbys are looked at as well.
func role(active *corev1.Pod, s corev1.Service) map[string]string {
	out := map[string]string{}
	for key, value := range active.Labels {
		out[key] = value
	}
	if wanted, ok := s.Spec.Selector[cluster.LabelActive]; ok {
		out[cluster.LabelActive] = wanted
	}
	return out
}

func has(c *corev1.Container, target string, fallback int32) bool {
	return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool {
		number := fmt.Sprint(p.ContainerPort)
		return target == p.Name || target == number || (target == "" || target == "0") && number == fmt.Sprint(fallback)
	})
}

func portsInside() scenario.Scenario {
	return looking(scenario.Scenario{
		ID:       "config/metrics-port-stays-inside",
		Title:    "The port of the metrics, which needs no token, is reachable on the pods' network only",
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
				require.Zero(t, p.HostPort, "port %s is a port of the host", p.Name)
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
			status, _, err := cluster.Ask(ctx, env, active.Name, cluster.Get{Port: env.Metrics, Path: "/v1/sys/seal-status"})
			require.NoError(t, err)
			t.Logf("the metrics listener answers the API with status %d (%s)", status, strings.ToLower(http.StatusText(status)))
		},
	})
}
