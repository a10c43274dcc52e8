package topology

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/steps"
)

// Surroundings is what a cluster shows of itself while a chart does not come up, or a scenario
// fails.
type Surroundings struct {
	Nodes  []corev1.Node
	Pods   []corev1.Pod
	Events []corev1.Event // of the namespaces of the pods
	// Provided are the image references that Steamer built, or that the user named; that they can
	// be had is not the chart's matter.
	Provided []string
	Allowed  Resources // what a pod may ask for: the tier's
}

// Fault is the first thing that is wrong with what surrounds the chart and keeps pods from
// running, with the object concerned; "" for nothing. What the chart itself brings about is none:
// an image that does not exist, requests above the tier's, an affinity that no node meets, a
// container that outgrows its limit.
func (s Surroundings) Fault() string {
	for i := range s.Nodes {
		if why := nodeFault(&s.Nodes[i]); why != "" {
			return fmt.Sprintf("node %s: %s", s.Nodes[i].Name, why)
		}
	}
	for i := range s.Pods {
		pod := &s.Pods[i]
		for _, why := range []string{evicted(pod), s.unscheduled(pod), s.unpulled(pod), s.unstarted(pod)} {
			if why != "" {
				return fmt.Sprintf("pod %s: %s", pod.Name, why)
			}
		}
	}
	for i := range s.Events {
		e := &s.Events[i]
		if e.Reason == "FailedCreate" && strings.Contains(e.Message, "exceeded quota") {
			return fmt.Sprintf("%s %s: %s", e.InvolvedObject.Kind, e.InvolvedObject.Name, steps.Shorten(e.Message))
		}
	}
	return ""
}

// nodeFault is a condition that keeps pods off a node, or ends them.
func nodeFault(node *corev1.Node) string {
	for _, c := range node.Status.Conditions {
		pressed := slices.Contains([]corev1.NodeConditionType{
			corev1.NodeDiskPressure, corev1.NodeMemoryPressure, corev1.NodePIDPressure, corev1.NodeNetworkUnavailable,
		}, c.Type)
		switch {
		case pressed && c.Status == corev1.ConditionTrue:
			return fmt.Sprintf("%s: %s", c.Type, steps.Shorten(c.Message))
		case c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue:
			return "it is not ready: " + steps.Shorten(c.Message)
		}
	}
	return ""
}

// ownLimit is how the kubelet says that a pod was evicted for going beyond a limit of its own.
var ownLimit = regexp.MustCompile(`(?i)exceed\w* (the |its )?(total |local )?(limit|ephemeral)|EmptyDir volume`)

// evicted is why the kubelet or the scheduler ended a pod to help its node.
func evicted(pod *corev1.Pod) string {
	if slices.Contains([]string{
		"Evicted", "NodeLost", "NodeShutdown", "Terminated", "OutOfcpu", "OutOfmemory",
		"OutOfpods",
	}, pod.Status.Reason) &&
		!ownLimit.MatchString(pod.Status.Message) {
		return pod.Status.Reason + ": " + steps.Shorten(pod.Status.Message)
	}
	return ""
}

// noRoom is how the scheduler says that nodes are full or unwell, other than that the pod refuses
// them.
var noRoom = regexp.MustCompile(`Insufficient (cpu|memory|ephemeral-storage|pods)|Too many pods|` +
	`node\.kubernetes\.io/(disk-pressure|memory-pressure|pid-pressure|not-ready|unreachable|network-unavailable)|` +
	`no nodes available`)

// unscheduled is why no node takes a pod that asks for no more than it may.
func (s Surroundings) unscheduled(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && noRoom.MatchString(c.Message) &&
			!s.greedy(pod) {
			return "no room for it: " + steps.Shorten(c.Message)
		}
	}
	return ""
}

// greedy reports whether a pod's containers ask for more CPU or memory together than one pod may;
// false where nothing is allowed in particular.
func (s Surroundings) greedy(pod *corev1.Pod) bool {
	for name, most := range map[corev1.ResourceName]string{
		corev1.ResourceCPU:    s.Allowed.CPURequest,
		corev1.ResourceMemory: s.Allowed.MemoryRequest,
	} {
		limit, err := resource.ParseQuantity(most)
		if err != nil {
			continue
		}
		var sum resource.Quantity
		for i := range pod.Spec.Containers {
			sum.Add(*pod.Spec.Containers[i].Resources.Requests.Name(name, resource.DecimalSI))
		}
		if sum.Cmp(limit) > 0 {
			return true
		}
	}
	return false
}

var (
	// pulling are the reasons for which a container waits for its image.
	pulling = []string{
		"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable",
		"InvalidImageName",
	}
	// absent is how a registry says that it has no such image, and the kubelet that there can be
	// none.
	absent = regexp.MustCompile(`(?i)not ?found|manifest unknown|does not exist|InvalidImageName|invalid reference`)
	// unreached is how it looks that no registry answered, whatever else is said.
	unreached = regexp.MustCompile(`(?i)dial tcp|no such host|timeout|timed out|connection re(fused|set)|unreachable|` +
		`too ?many ?requests|TLS handshake|x509`)
)

// unpulled is why a pod has no image. That an image does not exist is the chart's fault, unless
// Steamer or the user named it; that it cannot be had is not.
func (s Surroundings) unpulled(pod *corev1.Pod) string {
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		waits := status.State.Waiting
		if waits == nil || !slices.Contains(pulling, waits.Reason) {
			continue
		}
		said := waits.Reason + ": " + waits.Message
		for i := range s.Events {
			if e := &s.Events[i]; e.InvolvedObject.Name == pod.Name && (e.Reason == "Failed" || e.Reason == "InspectFailed") {
				said += "; " + e.Message
			}
		}
		if slices.Contains(s.Provided, imageOf(pod, status)) || unreached.MatchString(said) || !absent.MatchString(said) {
			return fmt.Sprintf("no image for container %s: %s", status.Name, steps.Shorten(said))
		}
	}
	return ""
}

// imageOf is the image as the pod names it; the status has the runtime's name for it.
func imageOf(pod *corev1.Pod, status corev1.ContainerStatus) string {
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		if c.Name == status.Name {
			return c.Image
		}
	}
	return status.Image
}

// unstarted is why the node does not start a pod: its image is still on the way, or it has no
// network for it.
func (s Surroundings) unstarted(pod *corev1.Pod) string {
	if pod.Status.Phase != corev1.PodPending {
		return ""
	}
	last := map[string]*corev1.Event{}
	for i := range s.Events {
		if e := &s.Events[i]; e.InvolvedObject.Name == pod.Name {
			if before := last["any"]; before == nil || !e.LastTimestamp.Before(&before.LastTimestamp) {
				last["any"] = e
			}
			last[e.Reason] = e
		}
	}
	if e := last["any"]; e != nil && e.Reason == "Pulling" {
		return "its image is still being pulled: " + steps.Shorten(e.Message)
	}
	if e := last["FailedCreatePodSandBox"]; e != nil && last["Started"] == nil {
		return steps.Shorten(e.Message)
	}
	return ""
}

// Fault is what is wrong with what surrounds the environment's chart, "" for nothing that can be
// seen. An API server that does not answer is wrong, too.
func (e *Environment) Fault(ctx context.Context) string {
	images := e.Spec.Images
	s := Surroundings{Provided: []string{images.OpenBao, images.PostgreSQL, images.GitLabStub}, Allowed: e.Spec.Resources}
	nodes, err := e.Cluster.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err == nil {
		s.Nodes = nodes.Items
	}
	for _, namespace := range e.namespaces() {
		pods, podsErr := e.Cluster.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		events, eventsErr := e.Cluster.Client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
		if err = errors.Join(podsErr, eventsErr); away(err) {
			return "the API server does not answer: " + steps.Shorten(err.Error())
		}
		if podsErr == nil {
			s.Pods = append(s.Pods, pods.Items...)
		}
		if eventsErr == nil {
			s.Events = append(s.Events, events.Items...)
		}
	}
	return s.Fault()
}

// away reports whether a request got no answer of the API server's own.
func away(err error) bool {
	var status apierrors.APIStatus
	return err != nil && (!errors.As(err, &status) || apierrors.IsServiceUnavailable(err) ||
		apierrors.IsServerTimeout(err) ||
		apierrors.IsTimeout(err) || apierrors.IsTooManyRequests(err) || apierrors.IsInternalError(err))
}

// faultTimeout bounds finding out what is wrong.
const faultTimeout = 20 * time.Second

// Blame says whose a failure of the chart is: an exit.Environment error where something is wrong
// with what surrounds it, else a *ChartError.
func (e *Environment) Blame(ctx context.Context, err error) error {
	ctx, cancel := context.WithTimeout(ctx, faultTimeout)
	defer cancel()
	if why := e.Fault(ctx); why != "" {
		return exit.Environmentf("what surrounds the chart",
			"free disk, memory and CPU of the node, or name images that it can pull; then run again",
			"%s (the chart: %s)", why, steps.Shorten(err.Error()))
	}
	return &ChartError{err}
}
