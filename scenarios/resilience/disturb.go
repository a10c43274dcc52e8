package resilience

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target/outage"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
	"gitlab.com/steamer/steamer/scenarios/internal/secrets"
)

// stage is a healthy deployment that is about to be disturbed.
type stage struct {
	active, standby corev1.Pod
	watch           *outage.Watches
	earlier         []types.UID // all pods of before the fault
	planned         []types.UID // pods whose containers the fault itself restarts
}

// disturb causes a fault in a healthy deployment and checks what must hold after any fault:
// fetches work and one of two pods is active; no fetch got a wrong value; every secret is
// unchanged; no container restarted except those that the fault ended; and the outage was within
// the budget of the change, one of judge.OutageChanges. It returns the active pod of before and
// after.
func disturb(ctx context.Context, t scenario.T, env *scenario.Env, change string, fault func(s *stage)) (before,
	after corev1.Pod,
) {
	t.Helper()
	s := &stage{active: *cluster.MustHealthy(ctx, t, env, "the deployment is healthy before the fault",
		env.Timeouts.Ready)}
	pods, err := cluster.Pods(ctx, env)
	require.NoError(t, err)
	restarts := map[types.UID]int32{}
	for _, p := range pods {
		restarts[p.UID] = cluster.Restarts(p)
		s.earlier = append(s.earlier, p.UID)
		if p.UID != s.active.UID {
			s.standby = p
		}
	}
	s.watch = outage.Fetches(ctx, env)
	defer func() { s.watch.Stop() }()

	start := time.Now()
	fault(s)
	recovered(ctx, t, env)
	after = *cluster.MustHealthy(ctx, t, env, "both pods are ready again", env.Timeouts.Ready)
	t.Measure("healthy_again_seconds", time.Since(start).Seconds())
	outage.Recovered(ctx, t, env, s.watch)
	report := s.watch.Stop()
	outage.Judge(t, env, change, "", report)

	_, err = secrets.Fingerprint(ctx, env)
	require.NoError(t, err, "the secrets after the fault")
	pods, err = cluster.Pods(ctx, env)
	require.NoError(t, err)
	for _, uid := range s.planned {
		delete(restarts, uid)
	}
	for _, p := range pods {
		if was, same := restarts[p.UID]; same && cluster.Restarts(p) != was {
			t.Errorf("pod %s restarted unexpectedly: %s", p.Name, cluster.Describe(pods))
		}
	}
	return s.active, after
}

// recovered waits until fetches work again. A connection that was kept may lead to a pod that no
// longer answers, and hang: each attempt is short, and after a failure the next makes a new one.
// What becomes of clients that keep theirs is measured beside it.
func recovered(ctx context.Context, t scenario.T, env *scenario.Env) {
	t.Helper()
	tenant := env.Tenants[0]
	scenario.MustConverge(ctx, t, scenario.Convergence{
		What: "fetches work again", Successes: 5, Interval: env.Timeouts.Poll, Deadline: env.Timeouts.Failover,
		Each: env.Timeouts.Try,
	}, func(ctx context.Context) error {
		err := env.Check(ctx, tenant, tenant.Secrets[0])
		if err != nil {
			env.Client.Close()
		}
		return err
	})
}

// takenOver waits until another pod than old is active and ready, and measures how long that
// takes.
func takenOver(ctx context.Context, t scenario.T, env *scenario.Env, old corev1.Pod) {
	t.Helper()
	took := env.Await(ctx, t, "another pod is active", env.Timeouts.Failover, func(ctx context.Context) error {
		pods, err := cluster.Pods(ctx, env)
		if err != nil {
			return err
		}
		for _, p := range pods {
			if p.UID != old.UID && openbao.Registered(p.Labels, openbao.LabelActive) == "true" && cluster.Ready(p) {
				return nil
			}
		}
		return fmt.Errorf("no other pod is active and ready: %s", cluster.Describe(pods))
	})
	t.Measure("new_active_seconds", took.Seconds())
}

// replacement waits for a pod that was not there before the fault, and returns it.
func replacement(ctx context.Context, t scenario.T, env *scenario.Env, s *stage) (found corev1.Pod) {
	t.Helper()
	env.Await(ctx, t, "the standby is replaced", env.Timeouts.Ready, func(ctx context.Context) error {
		pods, err := cluster.Pods(ctx, env)
		if err != nil {
			return err
		}
		for _, p := range pods {
			if !slices.Contains(s.earlier, p.UID) && p.DeletionTimestamp == nil {
				found = p
				return nil
			}
		}
		return fmt.Errorf("no new pod: %s", cluster.Describe(pods))
	})
	return found
}

// interrupted waits until a fetch has failed. Until then the deployment looks healthy.
func interrupted(ctx context.Context, t scenario.T, env *scenario.Env, s *stage) {
	t.Helper()
	scenario.MustConverge(ctx, t, scenario.Convergence{
		What: "a fetch fails because of the fault", Interval: env.Timeouts.Poll / 4, Deadline: env.Timeouts.Labels,
	}, func(context.Context) error {
		if s.watch.Failed() == 0 {
			return errors.New("no fetch has failed")
		}
		return nil
	})
}

// gone waits until the previous pods no longer exist.
func gone(ctx context.Context, t scenario.T, env *scenario.Env, s *stage) {
	t.Helper()
	env.Await(ctx, t, "the pods are gone", env.Timeouts.Ready, func(ctx context.Context) error {
		pods, err := cluster.Pods(ctx, env)
		for _, p := range pods {
			if p.UID == s.active.UID || p.UID == s.standby.UID {
				return fmt.Errorf("%s still exists: %s", p.Name, cluster.Describe(pods))
			}
		}
		return err
	})
}
