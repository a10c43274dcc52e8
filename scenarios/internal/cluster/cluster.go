// Package cluster reads from Kubernetes what scenarios check: the OpenBao pods, their labels and
// readiness, and the endpoints of Services.
package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// Wanted is how many pods the environment runs: one active and at least one standby.
func Wanted(env *scenario.Env) int { return max(2, env.Pods) }

// Workload is the Deployment or StatefulSet that makes the OpenBao pods.
type Workload struct {
	Kind, Name string
	Replicas   *int32
	Template   corev1.PodTemplateSpec
	Strategy   string // by which its pods are replaced: Recreate, RollingUpdate or OnDelete
	selector   *metav1.LabelSelector
}

// WorkloadOf returns the one workload whose pods match the environment's selector. Its own labels
// may differ.
func WorkloadOf(ctx context.Context, env *scenario.Env) (*Workload, error) {
	selector, err := labels.Parse(env.Selector)
	if err != nil {
		return nil, fmt.Errorf("selector %s: %w", env.Selector, err)
	}
	var found []Workload
	deployments, err := env.Kube.AppsV1().Deployments(env.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("deployments in %s: %w", env.Namespace, err)
	}
	for _, d := range deployments.Items {
		found = append(found, Workload{
			"Deployment", d.Name, d.Spec.Replicas, d.Spec.Template, string(d.Spec.Strategy.Type), d.Spec.Selector,
		})
	}
	sets, err := env.Kube.AppsV1().StatefulSets(env.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("stateful sets in %s: %w", env.Namespace, err)
	}
	for _, s := range sets.Items {
		found = append(found, Workload{
			"StatefulSet", s.Name, s.Spec.Replicas, s.Spec.Template, string(s.Spec.UpdateStrategy.Type), s.Spec.Selector,
		})
	}
	found = slices.DeleteFunc(found, func(w Workload) bool { return !selector.Matches(labels.Set(w.Template.Labels)) })
	if len(found) != 1 {
		return nil, fmt.Errorf("%d deployments and stateful sets in %s make pods that match %s, want exactly one", len(found),
			env.Namespace, env.Selector)
	}
	return &found[0], nil
}

// Scale sets the number of pods. It returns when the API has it, not when the pods are there or
// gone.
func Scale(ctx context.Context, env *scenario.Env, n int32) error {
	w, err := WorkloadOf(ctx, env)
	if err != nil {
		return err
	}
	to := &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: w.Name, Namespace: env.Namespace},
		Spec:       autoscalingv1.ScaleSpec{Replicas: n},
	}
	if w.Kind == "Deployment" {
		_, err = env.Kube.AppsV1().Deployments(env.Namespace).UpdateScale(ctx, w.Name, to, metav1.UpdateOptions{})
	} else {
		_, err = env.Kube.AppsV1().StatefulSets(env.Namespace).UpdateScale(ctx, w.Name, to, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("scale %s %s/%s to %d: %w", w.Kind, env.Namespace, w.Name, n, err)
	}
	return nil
}

// Pods returns the workload's pods, terminating ones included, by name.
func Pods(ctx context.Context, env *scenario.Env) ([]corev1.Pod, error) {
	w, err := WorkloadOf(ctx, env)
	if err != nil {
		return nil, err
	}
	list, err := env.Kube.CoreV1().Pods(env.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: metav1.FormatLabelSelector(w.selector),
	})
	if err != nil {
		return nil, fmt.Errorf("pods of %s/%s: %w", env.Namespace, w.Name, err)
	}
	// A chart's test pod may carry the selector's labels, but no workload owns it. An evicted one
	// is owned and does not come back.
	pods := slices.DeleteFunc(list.Items, func(p corev1.Pod) bool {
		return cluster.PodEnded(p) || !slices.ContainsFunc(p.OwnerReferences, func(o metav1.OwnerReference) bool {
			return o.Kind == "ReplicaSet" ||
				o.Kind == "StatefulSet"
		})
	})
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods, nil
}

// DeletePod asks for the deletion of a pod.
func DeletePod(ctx context.Context, env *scenario.Env, name string) error {
	return env.Kube.CoreV1().Pods(env.Namespace).Delete(ctx, name, metav1.DeleteOptions{})
}

// Ready reports whether a pod is ready and not terminating.
func Ready(p corev1.Pod) bool {
	return p.DeletionTimestamp == nil && cluster.PodReady(p)
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

// Endpoints returns the endpoints of a Service, sorted by pod name.
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
