package config

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// settled waits until the deployment is in its normal state, because the previous scenario may
// have disturbed it.
func settled(ctx context.Context, t scenario.T, env *scenario.Env) *corev1.Pod {
	t.Helper()
	return cluster.MustHealthy(ctx, t, env, "the deployment is healthy", env.Timeouts.Labels)
}

// api is a request to the port of a pod's API, which its readiness probe uses as well.
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
