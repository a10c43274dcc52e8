package topology

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/bao"
	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
)

// InstallTimeout bounds how long an installed chart may take until it is ready.
const InstallTimeout = 3 * time.Minute

// pollInterval is the pause between two looks at the cluster; settled is how many looks in a row have to agree.
const (
	pollInterval = 500 * time.Millisecond
	settled      = 3
)

// await calls probe until it succeeds, or until the timeout; the error is the probe's last.
func await(ctx context.Context, timeout time.Duration, what string, probe func(context.Context) error) error {
	return awaitN(ctx, timeout, what, 1, probe)
}

// awaitN is await until probe has succeeded n times in a row.
func awaitN(parent context.Context, timeout time.Duration, what string, n int, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(parent, timeout)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	row, last := 0, errors.New("it was never asked")
	for {
		err := probe(ctx)
		if err == nil {
			if row++; row >= n {
				return nil
			}
			last = fmt.Errorf("only %d of %d checks in a row held", row, n)
		} else {
			row = 0
			if ctx.Err() == nil { // what the deadline itself cut short explains nothing
				last = err
			}
		}
		select {
		case <-ctx.Done():
			if parent.Err() != nil {
				return parent.Err()
			}
			return exit.Environmentf(what, "the diagnostics in the run directory hold logs and events", "not ready after %s: %w", timeout, last)
		case <-ticker.C:
		}
	}
}

// AwaitReady waits until OpenBao serves fetches: Helm's --wait proves little here. Ready means, three times in a row: the expected
// pods are Ready, initialised and unsealed by their own account; exactly one is active; the active Service has exactly that
// pod as its endpoint; and a login as Rails with a request behind it is answered through the address that load will use.
func (e *Environment) AwaitReady(ctx context.Context) error {
	e.Log("waiting until OpenBao is initialised, unsealed, led by one pod and answers Rails")
	client := bao.New(e.Address, nil)
	defer client.Close()
	return awaitN(ctx, InstallTimeout, "OpenBao in topology "+e.Spec.Topology, settled, func(ctx context.Context) error {
		active, err := e.leadership(ctx)
		if err != nil {
			return err
		}
		if err := e.endpoint(ctx, active); err != nil {
			return err
		}
		if e.forward != nil && e.forward.Err() != nil {
			return e.forward.Err()
		}
		return e.asRails(ctx, client)
	})
}

// leadership checks the pods and returns the active one.
func (e *Environment) leadership(ctx context.Context) (*corev1.Pod, error) {
	pods, err := e.Cluster.Client.CoreV1().Pods(e.Namespace).List(ctx, metav1.ListOptions{LabelSelector: e.Spec.Dialect.Selector})
	if err != nil {
		return nil, err
	}
	deployed, err := e.replicas(ctx)
	if err != nil {
		return nil, err
	}
	if len(pods.Items) != deployed {
		return nil, fmt.Errorf("%d OpenBao pods exist, the chart asks for %d", len(pods.Items), deployed)
	}
	var active []*corev1.Pod
	for i := range pods.Items {
		pod := &pods.Items[i]
		// What OpenBao says of itself explains more than the probe that fails because of it.
		switch labels := pod.Labels; {
		case labels["openbao-sealed"] == "true":
			return nil, fmt.Errorf("pod %s is sealed (%s): is the unseal key the one the storage was initialised with?", pod.Name, podState(*pod))
		case labels["openbao-initialized"] == "false":
			return nil, fmt.Errorf("pod %s is not initialised (%s)", pod.Name, podState(*pod))
		case !cluster.PodReady(*pod):
			return nil, fmt.Errorf("pod %s is not Ready: %s", pod.Name, podState(*pod))
		case labels["openbao-sealed"] == "" || labels["openbao-initialized"] == "":
			return nil, fmt.Errorf("pod %s has no labels from OpenBao's service registration", pod.Name)
		}
		if pod.Labels["openbao-active"] == "true" {
			active = append(active, pod)
		}
	}
	if len(active) != 1 {
		return nil, fmt.Errorf("%d active pods, want exactly 1", len(active))
	}
	return active[0], nil
}

// replicas is how many OpenBao pods the release's workloads ask for.
func (e *Environment) replicas(ctx context.Context) (int, error) {
	options := metav1.ListOptions{LabelSelector: e.Spec.Dialect.Selector}
	deployments, err := e.Cluster.Client.AppsV1().Deployments(e.Namespace).List(ctx, options)
	if err != nil {
		return 0, err
	}
	sets, err := e.Cluster.Client.AppsV1().StatefulSets(e.Namespace).List(ctx, options)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, d := range deployments.Items {
		total += desired(d.Spec.Replicas)
	}
	for _, s := range sets.Items {
		total += desired(s.Spec.Replicas)
	}
	if total == 0 {
		return 0, fmt.Errorf("no Deployment or StatefulSet matches %s", e.Spec.Dialect.Selector)
	}
	return total, nil
}

// desired is a replica count with the API's default.
func desired(replicas *int32) int {
	if replicas == nil {
		return 1
	}
	return int(*replicas)
}

// endpoint checks that the active Service leads to the active pod and to nothing else.
func (e *Environment) endpoint(ctx context.Context, active *corev1.Pod) error {
	service := e.Spec.Dialect.ActiveService
	options := metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service}
	found, err := e.Cluster.Client.DiscoveryV1().EndpointSlices(e.Namespace).List(ctx, options)
	if err != nil {
		return err
	}
	var addresses []string
	for _, slice := range found.Items {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
				addresses = append(addresses, endpoint.Addresses...)
			}
		}
	}
	if len(addresses) != 1 || addresses[0] != active.Status.PodIP {
		return fmt.Errorf("service %s leads to %v, want only the active pod %s at %s", service, addresses, active.Name, active.Status.PodIP)
	}
	return nil
}

// asRails logs in as Rails does and asks for the list of mounts.
func (e *Environment) asRails(ctx context.Context, client *bao.Client) error {
	jwt, err := e.Issuer.Privileged(e.Audience())
	if err != nil {
		return err
	}
	response, err := client.Do(ctx, bao.Request{
		Method: "GET", Path: "sys/mounts", Auth: &bao.InlineAuth{Path: "auth/gitlab_rails_jwt/login", Role: "app", JWT: jwt},
	})
	if err != nil {
		return err
	}
	if !response.OK() {
		return fmt.Errorf("a request as Rails was answered with status %d: %s", response.Status, response.Message())
	}
	return nil
}

// podState says in a few words what a pod is doing, for errors.
func podState(pod corev1.Pod) string {
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if waiting := status.State.Waiting; waiting != nil {
			return fmt.Sprintf("container %s: %s %s", status.Name, waiting.Reason, waiting.Message)
		}
		if ended := status.State.Terminated; ended != nil {
			return fmt.Sprintf("container %s ended with code %d: %s", status.Name, ended.ExitCode, ended.Reason)
		}
		if status.RestartCount > 0 {
			return fmt.Sprintf("container %s restarted %d times", status.Name, status.RestartCount)
		}
	}
	return string(pod.Status.Phase)
}
