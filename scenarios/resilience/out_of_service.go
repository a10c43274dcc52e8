package resilience

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// outOfService waits until no Service that clients use leads to a pod that cannot serve, and
// measures how long one did. A Service that publishes pods whatever their state counts when it
// selects a role: only the server's own label takes a pod out of it, and a frozen server changes
// no label.
func outOfService(ctx context.Context, t scenario.T, env *scenario.Env, name, state string) {
	t.Helper()
	took := env.Await(ctx, t, "no Service leads to the "+state+" pod", env.Timeouts.Labels,
		func(ctx context.Context) error {
			leading, err := leadingTo(ctx, env, name)
			if err == nil && len(leading) > 0 {
				err = fmt.Errorf("services %v lead to the %s pod %s", leading, state, name)
			}
			return err
		})
	t.Measure(state+"_in_service_seconds", took.Seconds())
}

// leadingTo returns the Services that send clients to a pod. Those of peers do not count: they
// publish pods whatever their state and select no role.
func leadingTo(ctx context.Context, env *scenario.Env, pod string) (leading []string, err error) {
	services, err := env.Kube.CoreV1().Services(env.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, service := range services.Items {
		published := service.Spec.PublishNotReadyAddresses
		byRole := openbao.Registered(service.Spec.Selector, openbao.LabelActive) != ""
		if published && !byRole {
			continue
		}
		endpoints, err := cluster.Endpoints(ctx, env, service.Name)
		if err != nil {
			return nil, err
		}
		for _, e := range endpoints {
			if e.Pod == pod && (e.Ready || published) {
				leading = append(leading, service.Name)
			}
		}
	}
	return leading, nil
}
