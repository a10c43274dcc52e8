package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// Healthy returns the active pod of a deployment in its normal state, or what is
// not normal about it: Wanted pods, all ready, initialised and unsealed, exactly
// one labelled active, and the active Service sending everything to that one.
func Healthy(ctx context.Context, env *scenario.Env) (*corev1.Pod, error) {
	pods, err := Pods(ctx, env)
	if err != nil {
		return nil, err
	}
	var active []corev1.Pod
	for _, p := range pods {
		if !Ready(p) {
			return nil, fmt.Errorf("pod %s is not ready; pods: %s", p.Name, Describe(pods))
		}
		if openbao.Registered(p.Labels, openbao.LabelInitialized) != "true" ||
			openbao.Registered(p.Labels, openbao.LabelSealed) != "false" {
			return nil, fmt.Errorf("pod %s is not labelled initialised and unsealed; pods: %s", p.Name, Describe(pods))
		}
		switch openbao.Registered(p.Labels, openbao.LabelActive) {
		case "true":
			active = append(active, p)
		case "false":
		default:
			return nil, fmt.Errorf("pod %s is labelled neither active nor standby; pods: %s", p.Name, Describe(pods))
		}
	}
	if len(pods) != Wanted(env) {
		return nil, fmt.Errorf("%d pods, want %d: %s", len(pods), Wanted(env), Describe(pods))
	}
	if len(active) != 1 {
		return nil, fmt.Errorf("%d pods are labelled active, want exactly one: %s", len(active), Describe(pods))
	}
	if err := behind(ctx, env, env.Active, active[0].Name); err != nil {
		return nil, err
	}
	return &active[0], nil
}

// behind checks that a Service has exactly one endpoint, which is a ready pod.
func behind(ctx context.Context, env *scenario.Env, service, pod string) error {
	endpoints, err := Endpoints(ctx, env, service)
	if err != nil {
		return err
	}
	if len(endpoints) != 1 || endpoints[0].Pod != pod || !endpoints[0].Ready {
		return fmt.Errorf("service %s has endpoints %+v, want exactly the active pod %s, ready", service, endpoints, pod)
	}
	return nil
}

// Describe lists pods with the state that matters, for error messages.
func Describe(pods []corev1.Pod) string {
	if len(pods) == 0 {
		return "none"
	}
	out := make([]string, 0, len(pods))
	for _, p := range pods {
		state := strings.ToLower(string(p.Status.Phase))
		switch {
		case p.DeletionTimestamp != nil:
			state = "terminating"
		case Ready(p):
			state = "ready"
		}
		for _, c := range p.Status.ContainerStatuses {
			if w := c.State.Waiting; w != nil {
				state += "," + w.Reason
			}
		}
		out = append(out, fmt.Sprintf("%s(%s active=%q sealed=%q initialized=%q restarts=%d)",
			p.Name, state, openbao.Registered(p.Labels, openbao.LabelActive),
			openbao.Registered(p.Labels, openbao.LabelSealed), openbao.Registered(p.Labels, openbao.LabelInitialized),
			Restarts(p)))
	}
	return strings.Join(out, " ")
}

// Restarts is how often the containers of a pod were restarted.
func Restarts(p corev1.Pod) int32 {
	total := int32(0)
	for _, c := range p.Status.ContainerStatuses {
		total += c.RestartCount
	}
	return total
}

// MustHealthy waits until the deployment is in its normal state three times in a row and returns
// the active pod.
func MustHealthy(ctx context.Context, t scenario.T, env *scenario.Env, what string, limit time.Duration) *corev1.Pod {
	t.Helper()
	var active *corev1.Pod
	scenario.MustConverge(ctx, t, scenario.Convergence{
		What: what, Successes: 3, Interval: env.Timeouts.Poll, Deadline: limit,
	}, func(ctx context.Context) (err error) {
		active, err = Healthy(ctx, env)
		return err
	})
	return active
}

// MustServe waits until new pods are healthy and fetches reach them: the nodes' packet rules
// follow the endpoints with a delay.
func MustServe(ctx context.Context, t scenario.T, env *scenario.Env) {
	t.Helper()
	MustHealthy(ctx, t, env, "the new pods are healthy", env.Timeouts.Ready)
	tenant := env.Tenants[0]
	scenario.MustConverge(ctx, t, scenario.Convergence{
		What: "a secret can be fetched through the new pods", Interval: env.Timeouts.Poll, Deadline: env.Timeouts.Failover,
		Each: env.Timeouts.Try, Successes: 3,
	}, func(ctx context.Context) error { return env.Check(ctx, tenant, tenant.Secrets[0]) })
}
