// Package cluster reads from Kubernetes what scenarios judge: the OpenBao pods,
// their labels and readiness, and whom the active Service sends requests to.
package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// Labels that OpenBao's service registration keeps on its pod.
const (
	LabelActive      = "openbao-active"
	LabelSealed      = "openbao-sealed"
	LabelInitialized = "openbao-initialized"
)

// Wanted is how many pods the topologies run: one active and one standby.
const Wanted = 2

// Deployment returns the release's Deployment.
func Deployment(ctx context.Context, env *scenario.Env) (*appsv1.Deployment, error) {
	d, err := env.Kube.AppsV1().Deployments(env.Namespace).Get(ctx, env.Release, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("deployment %s/%s: %w", env.Namespace, env.Release, err)
	}
	return d, nil
}

// Pods returns the Deployment's pods, terminating ones included, by name.
func Pods(ctx context.Context, env *scenario.Env) ([]corev1.Pod, error) {
	d, err := Deployment(ctx, env)
	if err != nil {
		return nil, err
	}
	list, err := env.Kube.CoreV1().Pods(env.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: metav1.FormatLabelSelector(d.Spec.Selector),
	})
	if err != nil {
		return nil, fmt.Errorf("pods of %s/%s: %w", env.Namespace, env.Release, err)
	}
	// A chart's test pod may carry the selector's labels, but no ReplicaSet owns it.
	pods := slices.DeleteFunc(list.Items, func(p corev1.Pod) bool {
		return !slices.ContainsFunc(p.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == "ReplicaSet" })
	})
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods, nil
}

// Ready reports whether a pod is ready and not on its way out.
func Ready(p corev1.Pod) bool {
	return p.DeletionTimestamp == nil && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// UIDs returns the pods' identities.
func UIDs(pods []corev1.Pod) []types.UID {
	out := make([]types.UID, 0, len(pods))
	for _, p := range pods {
		out = append(out, p.UID)
	}
	return out
}

// Endpoint is one address behind a Service.
type Endpoint struct {
	Pod   string
	Ready bool
}

// Endpoints returns who is behind a Service, by pod name.
func Endpoints(ctx context.Context, env *scenario.Env, service string) ([]Endpoint, error) {
	found, err := env.Kube.DiscoveryV1().EndpointSlices(env.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=" + service,
	})
	if err != nil {
		return nil, fmt.Errorf("endpoints of service %s/%s: %w", env.Namespace, service, err)
	}
	ready := map[string]bool{}
	for _, s := range found.Items {
		for _, e := range s.Endpoints {
			name := strings.Join(e.Addresses, ",")
			if e.TargetRef != nil {
				name = e.TargetRef.Name
			}
			// A dual-stack Service has a slice per address family: one pod, one endpoint.
			// Absent means ready, see the EndpointConditions API.
			ready[name] = ready[name] || e.Conditions.Ready == nil || *e.Conditions.Ready
		}
	}
	out := make([]Endpoint, 0, len(ready))
	for name, r := range ready {
		out = append(out, Endpoint{Pod: name, Ready: r})
	}
	slices.SortFunc(out, func(a, b Endpoint) int { return strings.Compare(a.Pod, b.Pod) })
	return out, nil
}
