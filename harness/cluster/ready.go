package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/wait"
)

// readyTimeout bounds how long nodes and DNS may take after kind has returned.
const readyTimeout = 3 * time.Minute

// awaitReady waits until every node is Ready and every pod of kube-system is.
func (c *Cluster) awaitReady(ctx context.Context) error {
	return c.await(ctx, "nodes and system pods are Ready", func(ctx context.Context) error {
		waiting, err := c.unready(ctx)
		if err == nil && len(waiting) > 0 {
			err = errors.New("waiting for " + strings.Join(waiting, ", "))
		}
		return err
	})
}

// await waits for readyTimeout at most. The error is an exit.Environment error, or ctx's own.
func (c *Cluster) await(ctx context.Context, what string, probe func(context.Context) error) error {
	_, err := wait.Until(ctx, wait.For{What: what, Deadline: readyTimeout}, probe)
	if err != nil && ctx.Err() == nil {
		return exit.Environmentf("cluster "+c.Name, "steamer doctor; the nodes' journals say more", "%w", err)
	}
	return cmp.Or(ctx.Err(), err)
}

// unready names the nodes and system pods that are not ready.
func (c *Cluster) unready(ctx context.Context) ([]string, error) {
	nodes, err := c.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var waiting []string
	for _, node := range nodes.Items {
		if !nodeReady(node) {
			waiting = append(waiting, "node "+node.Name)
		}
	}
	pods, err := c.Client.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	if len(pods.Items) == 0 {
		waiting = append(waiting, "kube-system has no pods")
	}
	for _, pod := range pods.Items {
		if !PodReady(pod) && !PodEnded(pod) {
			waiting = append(waiting, fmt.Sprintf("pod %s (%s)", pod.Name, pod.Status.Phase))
		}
	}
	sort.Strings(waiting)
	return waiting, nil
}

func nodeReady(node corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// PodEnded reports whether a pod has ended for good: a Job's that is done, or one that was
// evicted. It stays in lists until it is deleted, and no workload counts it.
func PodEnded(pod corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// PodReady reports whether the pod's condition Ready is true.
func PodReady(pod corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
