package config

import (
	"context"
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func servicesByRole() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/services-by-role",
		Subject:  scenario.SubjectChart,
		Title:    "Each Service for active or standby pods leads to exactly those pods and an existing port",
		Protects: "clients of either Service",
		Source:   "openbao-helm #12 and #14: selectors that match no label; vault-helm #318; OpenBao service registration",
		Features: []scenario.Feature{scenario.FeatureCluster},
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
				require.NotEmpty(t, endpoints, "Service %s has no endpoints", s.Name)
				wanted := openbao.Registered(s.Spec.Selector, openbao.LabelActive)
				for _, e := range endpoints {
					require.True(t, e.Ready || s.Spec.PublishNotReadyAddresses && wanted == "",
						"pod %s, an endpoint of Service %s, is not ready", e.Pod, s.Name)
					if wanted != "" {
						require.Equal(t, wanted == "true", e.Pod == active.Name,
							"pod %s is an endpoint of Service %s; the active pod is %s", e.Pod,
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
			t.Logf("checked %d Services", looked)
		},
	}
}

// role returns the active pod's labels with the role that a Service selects, so that Services for
// standbys match as well.
func role(active *corev1.Pod, s corev1.Service) map[string]string {
	out := map[string]string{}
	for key, value := range active.Labels {
		out[key] = value
	}
	for _, label := range openbao.Spellings(openbao.LabelActive) {
		if wanted, ok := s.Spec.Selector[label]; ok {
			out[label] = wanted
		}
	}
	return out
}

func has(c *corev1.Container, target string, fallback int32) bool {
	return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool {
		number := fmt.Sprint(p.ContainerPort)
		return target == p.Name || target == number || (target == "" || target == "0") && number == fmt.Sprint(fallback)
	})
}
