package topology

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/tail"
)

// ChartError says that the chart under test did not come up; other errors of Install are faults of
// what surrounds it.
type ChartError struct{ Err error }

// Error is the cause's text.
func (e *ChartError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ChartError) Unwrap() error { return e.Err }

// logLimit bounds the log kept of one container, in bytes from its end.
const logLimit = 4 << 20

// Diagnose saves what explains a failure: the end of the log of every container, also of its
// previous life, events and the pods' state, for the user's eyes only. What the process has
// learned to be secret and what Secrets in the cluster hold is withheld, and what redact removes
// besides. It saves what it can and returns what it could not; where the Secrets cannot be read,
// nothing is saved.
func (e *Environment) Diagnose(ctx context.Context, dir string, redact func(string) string) error {
	if err := e.LearnSecrets(ctx); err != nil {
		return fmt.Errorf("%w: %w", errUnknown, err)
	}
	if err := os.MkdirAll(dir, secret.PrivateDir); err != nil {
		return err
	}
	var failures []error
	write := func(name, text string) {
		failures = append(failures, secret.WriteFile(filepath.Join(dir, name), []byte(redact(text)), secret.Private))
	}
	for _, namespace := range e.namespaces() {
		events, err := e.Cluster.Client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
		failures = append(failures, err)
		if err == nil {
			write(namespace+"-events.txt", eventText(events.Items))
		}
		pods, err := e.Cluster.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		failures = append(failures, err)
		if err != nil {
			continue
		}
		for _, pod := range pods.Items {
			learnPod(&pod)
			pod.ManagedFields = nil
			state, err := yaml.Marshal(pod)
			failures = append(failures, err)
			write(namespace+"-"+pod.Name+".yaml", string(state))
			e.logs(ctx, pod, write)
		}
	}
	if e.Engine != nil && e.Spec.Topology == CloudNativeHybrid {
		log, err := e.Engine.Run(ctx, "logs", "--tail", "2000", e.machine())
		failures = append(failures, err)
		write("postgresql-machine.log", log)
	}
	return errors.Join(failures...)
}

func (e *Environment) logs(ctx context.Context, pod corev1.Pod, write func(name, text string)) {
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, previous := range []bool{false, true} {
			// The API's own limit in bytes counts from the start of a log, and a failure is at its
			// end.
			stream, err := e.Cluster.Client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
				Container: container.Name, Previous: previous, Timestamps: true,
			}).Stream(ctx)
			if err != nil {
				continue // the container has not started, or never had a previous life
			}
			text, err := tail.Read(stream, logLimit)
			_ = stream.Close()
			if err != nil {
				text += "\n[the log breaks off here: " + err.Error() + "]\n"
			}
			name := fmt.Sprintf("%s-%s-%s", pod.Namespace, pod.Name, container.Name)
			if previous {
				name += "-previous"
			}
			write(name+".log", text)
		}
	}
}

func eventText(events []corev1.Event) string {
	var b strings.Builder
	for _, event := range events {
		fmt.Fprintf(&b, "%s %s %s %s/%s: %s\n", event.LastTimestamp.UTC().Format("15:04:05"), event.Type, event.Reason,
			event.InvolvedObject.Kind, event.InvolvedObject.Name, event.Message)
	}
	return b.String()
}
