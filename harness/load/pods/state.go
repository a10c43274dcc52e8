package pods

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/load"
)

// running returns the pods by their index once every index has one whose container runs. The error
// says what is missing; fatal means that waiting is in vain.
func running(pods []corev1.Pod, n int) (names []string, fatal bool, err error) {
	names = make([]string, n)
	missing := "no pod yet"
	found := 0
	for i := range pods {
		p := &pods[i]
		index, err := strconv.Atoi(p.Annotations[batchv1.JobCompletionIndexAnnotation])
		if err != nil || index < 0 || index >= n {
			continue
		}
		if problem := failure(p); problem != "" || p.Status.Phase == corev1.PodSucceeded {
			return nil, true, fmt.Errorf("pod %s ended before the load began: %s", p.Name, cmp.Or(problem, "without an error"))
		}
		if status := status(p); status != nil && status.State.Running != nil {
			names[index] = p.Name
			found++
			continue
		}
		missing = "pod " + p.Name + " " + waiting(p)
	}
	if found < n {
		return nil, false, fmt.Errorf("%d of %d run: %s", found, n, missing)
	}
	return names, false, nil
}

// waiting says why a pod does not run yet.
func waiting(p *corev1.Pod) string {
	if s := status(p); s != nil && s.State.Waiting != nil {
		return strings.TrimSpace("waits: " + s.State.Waiting.Reason + " " + s.State.Waiting.Message)
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status != corev1.ConditionTrue {
			return "is not scheduled: " + c.Message
		}
	}
	return "is " + string(p.Status.Phase)
}

func status(p *corev1.Pod) *corev1.ContainerStatus {
	for i := range p.Status.ContainerStatuses {
		if p.Status.ContainerStatuses[i].Name == container {
			return &p.Status.ContainerStatuses[i]
		}
	}
	return nil
}

// failure says why a pod failed; empty when it did not, or not yet.
func failure(p *corev1.Pod) string {
	if s := status(p); s != nil && s.State.Terminated != nil && s.State.Terminated.ExitCode != 0 {
		ended := s.State.Terminated
		if ended.Reason == "OOMKilled" {
			return "killed for its memory: raise its limit, or lower the rate or the number of VUs"
		}
		return fmt.Sprintf("exit code %d: %s", ended.ExitCode, load.ExitMeaning(int(ended.ExitCode)))
	}
	if p.Status.Phase == corev1.PodFailed { // evicted, or its node is gone
		return strings.TrimSpace(strings.ToLower(p.Status.Reason) + ": " + p.Status.Message)
	}
	return ""
}
