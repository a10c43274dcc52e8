package topology

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// replicas is how many OpenBao pods the release's workloads ask for. A workload is found by the
// labels that it gives its pods; its own may be others. Where a HorizontalPodAutoscaler rules it,
// its minimum counts: on a fresh install the workload still says 1.
func (e *Environment) replicas(ctx context.Context) (int, error) {
	deployments, err := e.Cluster.Client.AppsV1().Deployments(e.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	sets, err := e.statefulSets(ctx)
	if err != nil {
		return 0, err
	}
	least, err := e.autoscaled(ctx)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, d := range deployments.Items {
		if e.selects(d.Spec.Template.Labels) {
			total += max(desired(d.Spec.Replicas), least["Deployment/"+d.Name])
		}
	}
	for _, s := range sets {
		total += max(desired(s.Spec.Replicas), least["StatefulSet/"+s.Name])
	}
	if total == 0 {
		return 0, fmt.Errorf("no Deployment or StatefulSet makes pods that match %s", e.Spec.Dialect.Selector)
	}
	return total, nil
}

// statefulSets are those that make OpenBao pods.
func (e *Environment) statefulSets(ctx context.Context) ([]appsv1.StatefulSet, error) {
	sets, err := e.Cluster.Client.AppsV1().StatefulSets(e.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(sets.Items, func(s appsv1.StatefulSet) bool { return !e.selects(s.Spec.Template.Labels) }),
		nil
}

func (e *Environment) selects(podLabels map[string]string) bool {
	return selects(e.Spec.Dialect.Selector, podLabels)
}

// selects reports whether pods with these labels match a dialect's selector, which ParseDialect
// has parsed before.
func selects(selector string, podLabels map[string]string) bool {
	parsed, err := labels.Parse(selector)
	return err == nil && parsed.Matches(labels.Set(podLabels))
}

// autoscaled is the least number of replicas that an autoscaler allows, by KIND/NAME of what it
// scales.
func (e *Environment) autoscaled(ctx context.Context) (map[string]int, error) {
	least := map[string]int{}
	scalers, err := e.Cluster.Client.AutoscalingV2().HorizontalPodAutoscalers(e.Namespace).List(ctx, metav1.ListOptions{})
	if apierrors.IsForbidden(err) {
		return least, nil // who may not see autoscalers has installed none
	}
	if err != nil {
		return nil, err
	}
	for _, scaler := range scalers.Items {
		least[scaler.Spec.ScaleTargetRef.Kind+"/"+scaler.Spec.ScaleTargetRef.Name] = desired(scaler.Spec.MinReplicas)
	}
	return least, nil
}

// desired is a replica count with the API's default.
func desired(replicas *int32) int {
	if replicas == nil {
		return 1
	}
	return int(*replicas)
}

// replaceOutdated does after an upgrade what a StatefulSet with the strategy OnDelete leaves to
// its operator: it deletes the pods of the old revision, standbys first and the active pod last,
// each after the one before it is Ready again.
func (e *Environment) replaceOutdated(ctx context.Context) error {
	sets, err := e.statefulSets(ctx)
	if err != nil {
		return err
	}
	for _, set := range sets {
		if set.Spec.UpdateStrategy.Type != appsv1.OnDeleteStatefulSetStrategyType {
			continue
		}
		revision, err := e.revision(ctx, set.Name)
		if err != nil {
			return err
		}
		pods, err := e.Pods(ctx)
		if err != nil {
			return err
		}
		outdated := slices.DeleteFunc(pods, func(pod corev1.Pod) bool {
			return !metav1.IsControlledBy(&pod, &set) || pod.Labels[appsv1.ControllerRevisionHashLabelKey] == revision
		})
		slices.SortStableFunc(outdated, func(a, b corev1.Pod) int {
			return strings.Compare(openbao.Registered(a.Labels, openbao.LabelActive),
				openbao.Registered(b.Labels, openbao.LabelActive)) // "false" before "true"
		})
		for _, pod := range outdated {
			if err := e.replace(ctx, pod); err != nil {
				return err
			}
		}
	}
	return nil
}

// revision waits until the controller has seen the upgrade, and returns the revision that new pods
// get.
func (e *Environment) revision(ctx context.Context, name string) (revision string, err error) {
	err = await(ctx, InstallTimeout, "StatefulSet "+name, func(ctx context.Context) error {
		set, err := e.Cluster.Client.AppsV1().StatefulSets(e.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if set.Status.ObservedGeneration < set.Generation {
			return fmt.Errorf("its controller is at generation %d of %d", set.Status.ObservedGeneration, set.Generation)
		}
		revision = set.Status.UpdateRevision
		return nil
	})
	return revision, err
}

func (e *Environment) replace(ctx context.Context, old corev1.Pod) error {
	e.Log("deleting pod " + old.Name + ", which its StatefulSet does not replace by itself")
	err := e.Cluster.Client.CoreV1().Pods(e.Namespace).Delete(ctx, old.Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return await(ctx, InstallTimeout, "pod "+old.Name, func(ctx context.Context) error {
		pod, err := e.Cluster.Client.CoreV1().Pods(e.Namespace).Get(ctx, old.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if pod.UID == old.UID {
			return fmt.Errorf("the old one is still there: %s", podState(*pod))
		}
		if !cluster.PodReady(*pod) {
			return fmt.Errorf("the new one is not Ready: %s", podState(*pod))
		}
		return nil
	})
}
