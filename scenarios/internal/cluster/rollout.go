package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// Rollout is what became of the pods while they were replaced.
type Rollout struct {
	Ended   []types.UID // pods of before, in the order in which they were asked to end
	Leaders []types.UID // pods that became active meanwhile, in order
	Least   int         // the fewest pods at a time that had been ready and were not asked to end

	before map[types.UID]bool
	pods   map[types.UID]podState
}

type podState struct{ active, wasReady, ending bool }

// WatchRollout watches every change of the pods until stop is called, which returns what it saw,
// and an error where the watch broke off.
func WatchRollout(ctx context.Context, env *scenario.Env) (stop func() (*Rollout, error), err error) {
	options := metav1.ListOptions{LabelSelector: env.Selector}
	list, err := env.Kube.CoreV1().Pods(env.Namespace).List(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("pods in %s: %w", env.Namespace, err)
	}
	r := NewRollout(list.Items)
	options.ResourceVersion = list.ResourceVersion
	ctx, cancel := context.WithCancel(ctx)
	events, err := env.Kube.CoreV1().Pods(env.Namespace).Watch(ctx, options)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("watching pods in %s: %w", env.Namespace, err)
	}
	done, stopped := make(chan error, 1), make(chan struct{})
	go func() {
		for event := range events.ResultChan() {
			if pod, isPod := event.Object.(*corev1.Pod); isPod {
				r.See(pod, event.Type == watch.Deleted)
			}
		}
		select {
		case <-stopped:
			done <- nil
		default:
			done <- fmt.Errorf("the API server ended the watch of the pods in %s", env.Namespace)
		}
	}()
	return func() (*Rollout, error) {
		close(stopped)
		cancel()
		events.Stop()
		return r, <-done
	}, nil
}

// NewRollout is a rollout that begins with these pods.
func NewRollout(pods []corev1.Pod) *Rollout {
	r := &Rollout{before: map[types.UID]bool{}, pods: map[types.UID]podState{}}
	for i := range pods {
		if owned(&pods[i]) {
			r.before[pods[i].UID] = true
			r.pods[pods[i].UID] = stateOf(&pods[i], podState{})
		}
	}
	r.Least = r.serving()
	return r
}

// See takes in the next state of a pod.
func (r *Rollout) See(pod *corev1.Pod, gone bool) {
	if !owned(pod) {
		return
	}
	was := r.pods[pod.UID]
	now := stateOf(pod, was)
	now.ending = now.ending || gone
	if now.ending && !was.ending && r.before[pod.UID] {
		r.Ended = append(r.Ended, pod.UID)
	}
	if now.active && !was.active {
		r.Leaders = append(r.Leaders, pod.UID)
	}
	r.pods[pod.UID] = now
	r.Least = min(r.Least, r.serving())
}

func (r *Rollout) serving() int {
	n := 0
	for s := range maps.Values(r.pods) {
		if s.wasReady && !s.ending {
			n++
		}
	}
	return n
}

func stateOf(pod *corev1.Pod, was podState) podState {
	return podState{
		active:   openbao.Registered(pod.Labels, openbao.LabelActive) == "true",
		wasReady: was.wasReady || Ready(*pod),
		ending: pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodFailed ||
			pod.Status.Phase == corev1.PodSucceeded,
	}
}

// owned reports whether a workload owns the pod: a chart's test pod may carry the selector's
// labels.
func owned(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.OwnerReferences, func(o metav1.OwnerReference) bool {
		return o.Kind == "ReplicaSet" || o.Kind == "StatefulSet"
	})
}
