package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"gitlab.com/steamer/steamer/harness/exit"
)

// RunLabel marks every namespace and container that Steamer makes; its value is the ID of the run.
const RunLabel = "steamer.gitlab.com/run"

// markAnnotation says of a namespace which process made it.
const markAnnotation = "steamer.gitlab.com/owner"

// mark is whose a namespace on an existing cluster is.
type mark struct {
	Machine string `json:"machine"` // see Identity
	Host    string `json:"host"`    // for people
	UID     int    `json:"uid"`
	Process
}

// ownMark is the mark of this process.
func ownMark() (mark, error) {
	machine, host, err := thisMachine()
	return mark{Machine: machine, Host: host, UID: os.Getuid(), Process: realSystem.process(os.Getpid())}, err
}

// OwnMark is the annotation that says of a namespace that this process made it; nil where the
// process cannot be told from others, and then only its run's ID leads back to the namespace.
func OwnMark() map[string]string {
	own, err := ownMark()
	if err != nil {
		return nil
	}
	text, err := json.Marshal(own)
	if err != nil {
		return nil
	}
	return map[string]string{markAnnotation: string(text)}
}

// Remains is a namespace that a run made on an existing cluster.
type Remains struct {
	Namespace string
	Run       string // its ID
	Ours      bool   // made by this user on this host, or of the run that was asked for; and that run is over
	Why       string // why it is not ours to remove; empty where it is
}

// Remains lists the namespaces of runs, and says of each whether it may be removed: by its mark,
// or because run is its run's ID. What a live process of this host made is never ours to remove,
// nor is what carries no run's label.
func (c *Cluster) Remains(ctx context.Context, run string) ([]Remains, error) {
	list, err := c.Client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: RunLabel})
	if err != nil {
		return nil, exit.Environmentf(c.Name, "the user has to be allowed to list namespaces", "%w", err)
	}
	here, err := ownMark()
	if err != nil {
		return nil, err
	}
	var all []Remains
	for _, n := range list.Items {
		r := Remains{Namespace: n.Name, Run: n.Labels[RunLabel]}
		r.Why = keeps(n.Annotations[markAnnotation], here, r.Run, run)
		r.Ours = r.Why == ""
		all = append(all, r)
	}
	return all, nil
}

// keeps says why a namespace is not to be removed; "" where it is. asked is the run that was
// named, "" for none.
func keeps(text string, here mark, run, asked string) string {
	var made mark
	readable := json.Unmarshal([]byte(text), &made) == nil && made.Machine != "" && made.PID > 0
	life := Unknown
	if readable && made.Machine == here.Machine {
		life = realSystem.life(made.Process)
	}
	switch {
	case life == Alive:
		return fmt.Sprintf("its run goes on, in process %d", made.PID)
	case asked != "" && run == asked:
		return ""
	case asked != "":
		return "it is of another run"
	case !readable:
		return "nothing says whose it is; --run " + run + " names it"
	case made.Machine != here.Machine || made.UID != here.UID:
		return fmt.Sprintf("it is of user %d on host %s; --run %s names it", made.UID, made.Host, run)
	case life == Unknown:
		return fmt.Sprintf("whether its run goes on, in process %d, cannot be seen from here; --run %s names it", made.PID,
			run)
	}
	return ""
}

// RemoveRemains begins to delete a namespace of a run, if it is still that run's, and what the
// run's charts made outside of it.
func (c *Cluster) RemoveRemains(ctx context.Context, r Remains) error {
	all := c.Client.CoreV1().Namespaces()
	n, err := all.Get(ctx, r.Namespace, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil && n.Labels[RunLabel] != r.Run {
		return nil // it has gone, and another run has made it
	}
	if err == nil {
		err = RemoveOutside(ctx, c.Client, r.Namespace)
	}
	if err == nil {
		err = all.Delete(ctx, r.Namespace, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &n.UID}})
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return exit.Environmentf("namespace "+r.Namespace, "kubectl delete namespace "+r.Namespace, "%w", err)
	}
	return nil
}

// helmNamespace is where Helm says of an object that its release is.
const helmNamespace = "meta.helm.sh/release-namespace"

// RemoveOutside deletes the cluster-wide roles and bindings of the releases in a namespace, which
// has to be the run's: they do not go with it. Where the user may not see any, there are none of
// ours.
func RemoveOutside(ctx context.Context, client kubernetes.Interface, namespace string) error {
	var failures []error
	bindings, err := client.RbacV1().ClusterRoleBindings().List(ctx, metav1.ListOptions{})
	if err != nil && !apierrors.IsForbidden(err) {
		return err
	}
	if err == nil {
		for _, b := range bindings.Items {
			if b.Annotations[helmNamespace] == namespace {
				failures = append(failures, client.RbacV1().ClusterRoleBindings().Delete(ctx, b.Name, metav1.DeleteOptions{}))
			}
		}
	}
	roles, err := client.RbacV1().ClusterRoles().List(ctx, metav1.ListOptions{})
	if err != nil && !apierrors.IsForbidden(err) {
		return errors.Join(append(failures, err)...)
	}
	if err == nil {
		for _, r := range roles.Items {
			if r.Annotations[helmNamespace] == namespace {
				failures = append(failures, client.RbacV1().ClusterRoles().Delete(ctx, r.Name, metav1.DeleteOptions{}))
			}
		}
	}
	return errors.Join(failures...)
}

// Connect opens a cluster that is there, without asking for any right.
func Connect(kubeconfig, kubeContext string) (*Cluster, error) {
	c := &Cluster{
		Name: Existing{Kubeconfig: kubeconfig, Context: kubeContext}.name(), Kubeconfig: kubeconfig,
		Context: kubeContext,
	}
	return c, c.connect(kubeContext)
}
