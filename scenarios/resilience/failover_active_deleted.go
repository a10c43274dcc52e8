package resilience

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
	"gitlab.com/steamer/steamer/scenarios/internal/outage"
)

func failoverActiveDeleted() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/failover-active-deleted",
		Title:    "When the active pod is deleted the standby takes over and fetches work again",
		Protects: "pipelines during node drains, evictions and roll-outs",
		Source:   "OpenBao's PostgreSQL HA lock: a clean shutdown gives it up at once, a crash leaves it for its TTL of 15 s",
		Features: []scenario.Feature{scenario.FeatureCluster},
		Kind:     scenario.Fault,
		Budget:   6 * time.Minute,
		// Catches: a standby that cannot unseal or take the lock, labels that do not
		// follow, an unclean shutdown that waits out the lock, a deployment of one.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			old := cluster.MustHealthy(ctx, t, env, "the deployment is healthy before the fault",
				scenario.Convergence{Deadline: env.Timeouts.Ready})
			watch := outage.Fetches(ctx, env)
			defer func() { watch.Stop() }()

			t.Logf("deleting the active pod %s", old.Name)
			require.NoError(t, env.Kube.CoreV1().Pods(env.Namespace).Delete(ctx, old.Name, metav1.DeleteOptions{}))
			took := scenario.MustConverge(ctx, t, scenario.Convergence{
				What: "another pod is active", Interval: env.Timeouts.Poll, Deadline: env.Timeouts.Failover,
			}, func(ctx context.Context) error {
				pods, err := cluster.Pods(ctx, env)
				if err != nil {
					return err
				}
				for _, p := range pods {
					if p.UID != old.UID && p.Labels[cluster.LabelActive] == "true" && cluster.Ready(p) {
						return nil
					}
				}
				return fmt.Errorf("no other pod is active and ready: %s", cluster.Describe(pods))
			})
			t.Measure("new_active_seconds", took.Seconds())
			tenant := env.Tenants[0]
			scenario.MustConverge(ctx, t, scenario.Convergence{
				What: "fetches work again", Successes: 5, Interval: env.Timeouts.Poll, Deadline: env.Timeouts.Failover, Each: env.Timeouts.Try,
			}, func(ctx context.Context) error { return env.Check(ctx, tenant, tenant.Secrets[0]) })

			active := cluster.MustHealthy(ctx, t, env, "both pods are ready again",
				scenario.Convergence{Deadline: env.Timeouts.Ready})
			require.NotEqual(t, old.UID, active.UID, "the deleted pod is still the active one")
			outage.Judge(t, env, watch.Stop())
		},
	}
}
