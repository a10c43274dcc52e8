package resilience

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func drain() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/drain",
		Subject:  scenario.SubjectChart,
		Title:    "A drain evicts the second pod only when the first one's replacement is ready",
		Protects: "pipelines while a cluster's nodes are upgraded",
		Source:   "Kubernetes' Eviction API, which kubectl drain uses; vault-helm #1173; openbao-helm #189",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.Change(scenario.ChangeBudget)},
		Rights:   []scenario.Right{{Verbs: "create", Resource: "pods/eviction"}},
		Budget:   10 * time.Minute,
		// Catches: a missing PodDisruptionBudget, one that selects no pods, one that allows both
		// evictions or none, a standby that never becomes ready.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			// The budget counts ready pods, and a standby is ready. So the second pod may be
			// evicted while it takes over, and its lock must expire. Seen in 1 of 17 rounds of the
			// suite: 17.7 s without a response.
			disturb(ctx, t, env, judge.OutageDrain, func(s *stage) {
				require.NoError(t, evict(ctx, env, s.active), "the first of two pods cannot be evicted, so a drain would never end")
				err := evict(ctx, env, s.standby)
				require.True(t, apierrors.IsTooManyRequests(err),
					"evicting the second pod while the first terminates: %v, want it refused", err)
				t.Logf("the disruption budget refuses: %v", err)
				refusals := 1.0
				env.Await(ctx, t, "the second pod can be evicted", env.Timeouts.Ready, func(ctx context.Context) error {
					err := evict(ctx, env, s.standby)
					if err != nil {
						refusals++
						return err
					}
					return nil
				})
				t.Measure("refused_evictions", refusals)
				pods, err := cluster.Pods(ctx, env)
				require.NoError(t, err)
				ready := 0
				for _, p := range pods {
					if p.UID != s.standby.UID && cluster.Ready(p) {
						ready++
					}
				}
				require.NotZero(t, ready, "the second pod was evicted while no other was ready: %s", cluster.Describe(pods))
				gone(ctx, t, env, s)
			})
		},
	}
}

// evict evicts a pod as a drain does. The API refuses where a PodDisruptionBudget forbids it.
func evict(ctx context.Context, env *scenario.Env, pod corev1.Pod) error {
	err := env.Kube.CoreV1().Pods(env.Namespace).EvictV1(ctx, &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: env.Namespace},
	})
	if err != nil {
		return fmt.Errorf("eviction of %s: %w", pod.Name, err)
	}
	return nil
}
