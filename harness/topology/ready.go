package topology

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// InstallTimeout bounds how long an installed chart may take until it is ready, where nothing else
// is said.
const InstallTimeout = 3 * time.Minute

// pollInterval is the pause between two looks at the cluster; settled is how many looks in a row
// have to agree.
const (
	pollInterval = 250 * time.Millisecond
	settled      = 3
)

// askTimeout bounds one request to OpenBao: a connection to a pod that has just gone may hang.
const askTimeout = 2 * time.Second

// await calls probe until it succeeds, or until the timeout.
func await(ctx context.Context, timeout time.Duration, what string, probe func(context.Context) error) error {
	return awaitN(ctx, timeout, what, 1, probe)
}

// awaitN is await until probe has succeeded n times in a row. The error is an exit.Environment
// error, or ctx's own.
func awaitN(ctx context.Context, timeout time.Duration, what string, n int, probe func(context.Context) error) error {
	_, err := wait.Until(ctx, wait.For{What: what + " is ready", Successes: n, Interval: pollInterval, Deadline: timeout},
		probe)
	if err != nil && ctx.Err() == nil {
		return exit.Environmentf(what, "the diagnostics in the run directory hold logs and events", "not ready: %w", err)
	}
	return cmp.Or(ctx.Err(), err)
}

// AwaitReady waits until OpenBao serves fetches: Helm's --wait proves little here. Ready means,
// three times in a row: the expected pods are Ready, initialised and unsealed by their own
// account; exactly one is active; the active Service has exactly that pod as its endpoint; and a
// login as Rails with a request behind it is answered through the address that load will use.
func (e *Environment) AwaitReady(ctx context.Context) error {
	e.Log("waiting until " + e.Kind().Title() + " is initialised, unsealed, led by one pod and answers Rails")
	client := e.Client()
	defer client.Close()
	return awaitN(ctx, cmp.Or(e.Spec.ReadyTimeout, InstallTimeout), e.Kind().Title()+" in topology "+e.Spec.Topology,
		settled,
		func(ctx context.Context) error {
			active, err := e.Active(ctx)
			if err != nil {
				return err
			}
			if e.deployed, err = e.replicas(ctx); err != nil {
				return err
			}
			if err := e.endpoint(ctx, active); err != nil {
				return err
			}
			if e.forward != nil && e.forward.Err() != nil {
				return e.forward.Err()
			}
			if err := e.asRails(ctx, client); err != nil || !e.Spec.Dialect.Raft {
				return err
			}
			return e.checkPeers(ctx, client)
		})
}

// Pods are OpenBao's pods. Pods of Jobs do not count, though their labels may match, nor do pods
// that have ended, such as evicted ones.
func (e *Environment) Pods(ctx context.Context) ([]corev1.Pod, error) {
	list, err := e.Cluster.Client.CoreV1().Pods(e.Namespace).List(ctx,
		metav1.ListOptions{LabelSelector: e.Spec.Dialect.Selector})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool {
		owner := metav1.GetControllerOf(&pod)
		return cluster.PodEnded(pod) || owner != nil && owner.Kind == "Job"
	}), nil
}

// Active returns the active pod. The error is what keeps the pods from being as many as the chart
// asks for, all of them ready and exactly one of them active.
func (e *Environment) Active(ctx context.Context) (*corev1.Pod, error) {
	pods, err := e.Pods(ctx)
	if err != nil {
		return nil, err
	}
	deployed, err := e.replicas(ctx)
	if err != nil {
		return nil, err
	}
	if len(pods) != deployed {
		return nil, fmt.Errorf("%d %s pods exist, the chart asks for %d", len(pods), e.Kind().Title(), deployed)
	}
	var active []*corev1.Pod
	for i := range pods {
		pod := &pods[i]
		labels := pod.Labels
		if e.Spec.Dialect.Unregistered {
			if labels, err = e.askHealth(ctx, pod); err != nil {
				return nil, err
			}
		}
		sealed, initialized := openbao.Registered(labels, openbao.LabelSealed),
			openbao.Registered(labels, openbao.LabelInitialized)
		// What OpenBao says of itself explains more than the probe that fails because of it.
		switch {
		case sealed == "true":
			return nil, fmt.Errorf("pod %s is sealed (%s): %s", pod.Name, podState(*pod), e.unsealer.why(pod.Name))
		case initialized == "false":
			return nil, fmt.Errorf("pod %s is not initialised (%s)", pod.Name, podState(*pod))
		case !cluster.PodReady(*pod):
			return nil, fmt.Errorf("pod %s is not Ready: %s", pod.Name, podState(*pod))
		case sealed == "" || initialized == "":
			return nil, fmt.Errorf("pod %s has no labels from %s's service registration", pod.Name, e.Kind().Title())
		}
		if openbao.Registered(labels, openbao.LabelActive) == "true" {
			active = append(active, pod)
		}
	}
	if len(active) != 1 {
		return nil, fmt.Errorf("%d active pods, want exactly 1", len(active))
	}
	return active[0], nil
}

// askHealth asks a pod's own sys/health, through the API server, for what service registration
// would have written into its labels.
func (e *Environment) askHealth(ctx context.Context, pod *corev1.Pod) (map[string]string, error) {
	all := map[string]string{
		"standbycode": "200", "sealedcode": "200",
		"uninitcode": "200",
	} // the answer matters, not the status
	port := strconv.Itoa(e.Spec.Dialect.apiPort())
	raw, err := e.Cluster.Client.CoreV1().Pods(pod.Namespace).ProxyGet(e.Scheme(), pod.Name, port, "/v1/sys/health",
		all).DoRaw(ctx)
	var health openbao.Health
	if err == nil {
		err = json.Unmarshal(raw, &health)
	}
	if err != nil {
		return nil, fmt.Errorf("pod %s does not answer sys/health (%s): %w", pod.Name, podState(*pod), err)
	}
	return map[string]string{
		openbao.LabelInitialized: strconv.FormatBool(health.Initialized),
		openbao.LabelSealed:      strconv.FormatBool(health.Initialized && health.Sealed),
		openbao.LabelActive:      strconv.FormatBool(health.Initialized && !health.Sealed && !health.Standby),
	}, nil
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
		return fmt.Errorf("service %s leads to %v, want only the active pod %s at %s", service, addresses, active.Name,
			active.Status.PodIP)
	}
	return nil
}

// asRails logs in as Rails does and asks for the list of mounts, which a scoped policy refuses: so
// does a server that is ready.
func (e *Environment) asRails(ctx context.Context, client *openbao.Client) error {
	auth, err := e.Issuer.RailsAuth(e.Audience())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	response, err := client.Do(ctx, openbao.Request{Method: "GET", Path: "sys/mounts", Auth: auth})
	if err != nil {
		return err
	}
	if refused := response.Status == http.StatusForbidden && !response.InlineAuthFailed; !response.OK() && !refused {
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
