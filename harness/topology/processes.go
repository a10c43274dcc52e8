package topology

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/wait"
)

// signalTimeout bounds how long a pod that sends a signal may take.
const signalTimeout = time.Minute

// signalScript finds a container's processes by the container's ID, which is part of their
// cgroups' names, and signals each.
const signalScript = `sent=1
for process in /proc/[0-9]*; do
  if grep -qs "$2" "$process/cgroup"; then kill "-$1" "${process#/proc/}" && sent=0; fi
done
exit $sent`

// processes reaches processes through the Kubernetes API alone, so that it works on any cluster
// that allows it.
type processes struct{ env *Environment }

var _ scenario.Processes = processes{}

// Processes returns what scenarios reach the pods' processes through.
func (e *Environment) Processes() scenario.Processes { return processes{e} }

// Run implements scenario.Processes.
func (p processes) Run(ctx context.Context, namespace, pod, container string, command ...string) ([]byte, error) {
	return p.env.Cluster.Exec(ctx, namespace, pod, container, nil, command...)
}

// Signal implements scenario.Processes by a pod on the same node that sees the node's processes.
// It needs no privilege beyond that: its user is the container's own.
func (p processes) Signal(ctx context.Context, namespace, name, container, signal string) error {
	ctx, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	pods := p.env.Cluster.Client.CoreV1().Pods(namespace)
	target, err := pods.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	spec, err := p.signaller(target, container, signal)
	if err != nil {
		return fmt.Errorf("signal %s to %s: %w", signal, name, err)
	}
	made, err := pods.Create(ctx, spec, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("signal %s to %s: %w", signal, name, err)
	}
	defer func() {
		now := int64(0)
		clean, done := context.WithTimeout(context.WithoutCancel(ctx), signalTimeout)
		defer done()
		// it goes with the namespace at the latest
		_ = pods.Delete(clean, made.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	}()
	_, err = wait.Until(ctx, wait.For{What: "pod " + made.Name + " has sent signal " + signal, Interval: pollInterval / 5},
		func(ctx context.Context) error {
			made, err = pods.Get(ctx, made.Name, metav1.GetOptions{})
			switch {
			case err != nil:
				return err
			case made.Status.Phase == corev1.PodFailed:
				cancel() // it will not try again
			case made.Status.Phase == corev1.PodSucceeded:
				return nil
			}
			return errors.New(podState(*made))
		})
	return err
}

// signaller is a pod that sends a signal to a container's processes, in the container's own image,
// as its own user.
func (p processes) signaller(target *corev1.Pod, container, signal string) (*corev1.Pod, error) {
	i := slices.IndexFunc(target.Spec.Containers, func(c corev1.Container) bool { return c.Name == container })
	status := slices.IndexFunc(target.Status.ContainerStatuses,
		func(s corev1.ContainerStatus) bool { return s.Name == container })
	if i < 0 || status < 0 || target.Status.ContainerStatuses[status].State.Running == nil {
		return nil, fmt.Errorf("container %s does not run", container)
	}
	_, id, _ := strings.Cut(target.Status.ContainerStatuses[status].ContainerID, "://")
	no := false
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "steamer-signal-", Labels: map[string]string{OwnerLabel: p.env.Spec.Run}},
		Spec: corev1.PodSpec{
			NodeName: target.Spec.NodeName, HostPID: true, RestartPolicy: corev1.RestartPolicyNever,
			AutomountServiceAccountToken: &no, EnableServiceLinks: &no,
			SecurityContext: target.Spec.SecurityContext, ImagePullSecrets: target.Spec.ImagePullSecrets,
			Tolerations: target.Spec.Tolerations,
			Containers: []corev1.Container{{
				Name: "signal", Image: target.Spec.Containers[i].Image, ImagePullPolicy: corev1.PullIfNotPresent,
				Command:         []string{"sh", "-c", signalScript, "signal", signal, id},
				SecurityContext: target.Spec.Containers[i].SecurityContext,
			}},
		},
	}, nil
}

// Signals reports whether the cluster would admit the pods that send signals. It makes none.
func (e *Environment) Signals(ctx context.Context) (bool, error) {
	pods, err := e.Pods(ctx)
	if err != nil || len(pods) == 0 {
		return false, err
	}
	spec, err := processes{e}.signaller(&pods[0], e.Spec.Dialect.Container, "CONT")
	if err != nil {
		return false, err
	}
	_, err = e.Cluster.Client.CoreV1().Pods(e.Namespace).Create(ctx, spec,
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		return false, nil
	}
	return err == nil, err
}
