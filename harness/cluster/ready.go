package cluster

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/exit"
)

// ReadyTimeout bounds how long nodes and DNS may take after kind has returned.
const ReadyTimeout = 3 * time.Minute

// awaitReady waits until every node is Ready and every pod of kube-system is.
func (c *Cluster) awaitReady(parent context.Context) error {
	ctx, cancel := context.WithTimeout(parent, ReadyTimeout)
	defer cancel()
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		waiting, err := c.unready(ctx)
		if err == nil && len(waiting) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			if parent.Err() != nil {
				return parent.Err()
			}
			if err == nil {
				err = errors.New("waiting for " + strings.Join(waiting, ", "))
			}
			return exit.Environmentf("cluster "+c.Name, "steamer doctor; the nodes' journals say more", "not ready after %s: %w", ReadyTimeout, err)
		case <-ticker.C:
		}
	}
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
		if !PodReady(pod) {
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

// PodReady reports whether the pod's condition Ready is true.
func PodReady(pod corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
