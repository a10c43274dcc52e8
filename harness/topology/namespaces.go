package topology

import (
	"cmp"
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/wait"
)

// Namespaces are the namespaces that environments of these topologies use.
func Namespaces(topologies ...string) []string { return namespacesWith("", topologies...) }

// namespacesWith are those of environments with a Spec.Suffix.
func namespacesWith(suffix string, topologies ...string) []string {
	var all []string
	for _, name := range topologies {
		env := &Environment{Spec: Spec{Topology: name, Suffix: suffix}, Namespace: namespaceOf(name) + suffix}
		all = append(all, env.namespaces()...)
	}
	return all
}

func (e *Environment) namespaces() []string {
	if e.DatabaseNamespace() == e.Namespace {
		return []string{e.Namespace}
	}
	return []string{e.Namespace, e.DatabaseNamespace()}
}

func (e *Environment) createNamespaces(ctx context.Context) error {
	for _, name := range e.namespaces() {
		if err := e.awaitLeaving(ctx, name); err != nil {
			return err
		}
		_, err := e.Cluster.Client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{OwnerLabel: e.Spec.Run, "pod-security.kubernetes.io/warn": "restricted"},
			Annotations: cluster.OwnMark(),
		}}, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return exit.Environmentf("namespace "+name,
				"wait until the run that uses it ends, or remove what a killed run of yours left: steamer cluster gc, "+
					"on an existing cluster with --context", "it exists already")
		}
		if err != nil {
			return exit.Environmentf("namespace "+name, "the kubeconfig's user has to be allowed to create namespaces", "%w",
				err)
		}
	}
	return nil
}

// awaitLeaving waits for a namespace of an earlier run on a kept cluster, which has been deleted
// and is still going.
func (e *Environment) awaitLeaving(ctx context.Context, name string) error {
	namespace, err := e.Cluster.Client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	owner := namespace.GetLabels()[OwnerLabel]
	if err != nil || namespace.DeletionTimestamp == nil || owner == "" {
		return nil // what is wrong with it, its creation says
	}
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	return awaitGone(ctx, e.Cluster.Client, name, owner)
}

// removeTimeout bounds the removal of an environment.
const removeTimeout = 2 * time.Minute

// Remove begins to delete everything that Install made. When it returns the node port is free and
// the machine is gone; AwaitRemoved waits for the rest, which Kubernetes takes its time for.
func (e *Environment) Remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	if e.forward != nil {
		e.forward.Close()
	}
	e.unsealer.stop()
	var failures []error
	for _, name := range e.namespaces() {
		if err := e.removeNamespace(ctx, name); err != nil && !apierrors.IsNotFound(err) {
			failures = append(failures, err)
		}
	}
	return errors.Join(append(failures, e.RemoveMachine(ctx))...)
}

// removeNamespace begins to delete a namespace, if it is this run's: one of another run is not
// ours to delete.
func (e *Environment) removeNamespace(ctx context.Context, name string) error {
	namespace, err := e.Cluster.Client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if err != nil || namespace.Labels[OwnerLabel] != e.Spec.Run {
		return err
	}
	services := e.Cluster.Client.CoreV1().Services(name)
	list, err := services.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, service := range list.Items { // first, because the next environment wants the node port at once
		if err := services.Delete(ctx, service.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	if !e.Cluster.Owned { // Steamer's own cluster goes as a whole, or its next run installs the same
		if err := cluster.RemoveOutside(ctx, e.Cluster.Client, name); err != nil {
			return err
		}
	}
	return e.Cluster.Client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})
}

// AwaitRemoved waits until what Remove has begun to delete is gone.
func (e *Environment) AwaitRemoved(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	var failures []error
	for _, name := range e.namespaces() {
		failures = append(failures, awaitGone(ctx, e.Cluster.Client, name, e.Spec.Run))
	}
	return errors.Join(failures...)
}

func awaitGone(ctx context.Context, client kubernetes.Interface, name, run string) error {
	_, err := wait.Until(ctx, wait.For{What: "namespace " + name + " is gone", Interval: pollInterval},
		func(ctx context.Context) error {
			namespace, err := client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) || (err == nil && namespace.Labels[OwnerLabel] != run) {
				return nil
			}
			return cmp.Or(err, errors.New("something in it is not removed"))
		})
	if err != nil {
		return exit.Environmentf("namespace "+name, "kubectl get all --namespace "+name+" shows what holds it", "%w", err)
	}
	return nil
}
