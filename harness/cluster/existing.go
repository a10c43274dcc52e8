package cluster

import (
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Existing names a cluster that is not Steamer's, and what a run will want of it.
type Existing struct {
	Kubeconfig string   // path; empty for kubectl's own search: KUBECONFIG, then ~/.kube/config
	Context    string   // empty for the current context
	HostPort   int      // loopback port that will be forwarded to OpenBao
	SecondPort int      // and to a second one; 0 where there is none
	Namespaces []string // that the run will make for the chart and what it needs
	Loads      []string // that the run will make for pods that drive the load
}

// OpenExisting connects to a cluster and asks its API server whether the kubeconfig's user may do what a run does. It changes nothing
// there. Errors are of code exit.Invalid; exit.Environment when the cluster does not answer.
func OpenExisting(ctx context.Context, e Existing) (*Cluster, error) {
	if err := (Options{HostPort: e.HostPort, Second: e.SecondPort != 0, SecondPort: e.SecondPort}).portsFree(); err != nil {
		return nil, err
	}
	c := &Cluster{Name: e.name(), Kubeconfig: e.Kubeconfig, Context: e.Context, HostPort: e.HostPort, SecondPort: e.SecondPort}
	if err := c.connect(e.Context); err != nil {
		return nil, err
	}
	var refused []string
	for _, right := range e.rights() {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &right}}
		answer, err := c.Client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return nil, exit.Environmentf(c.Name, "kubectl auth can-i --list shows the user's rights", "its rights cannot be asked for: %w", err)
		}
		if !answer.Status.Allowed {
			refused = append(refused, describeRight(right))
		}
	}
	if len(refused) > 0 {
		return nil, exit.Invalidf(c.Name, "bind the user to a role that allows it, or use another --context",
			"its user may not %s", strings.Join(refused, ", "))
	}
	return c, nil
}

func (e Existing) name() string {
	switch {
	case e.Context != "":
		return "context " + e.Context
	case e.Kubeconfig != "":
		return "kubeconfig " + e.Kubeconfig
	default:
		return "current context"
	}
}

// rights is what a run does on a cluster: its own namespaces, what the charts consist of, and what scenarios and diagnostics look at.
func (e Existing) rights() []authorizationv1.ResourceAttributes {
	var all []authorizationv1.ResourceAttributes
	for _, verb := range []string{"get", "create", "delete"} {
		all = append(all, authorizationv1.ResourceAttributes{Verb: verb, Resource: "namespaces"})
	}
	for _, namespace := range e.Namespaces {
		all = append(all, in(namespace, []wish{
			{"get list create update patch delete", "", "secrets", ""},
			{"get list create update patch delete", "", "configmaps", ""},
			{"get list create update patch delete", "", "services", ""},
			{"get create delete", "", "serviceaccounts", ""},
			{"get list create update patch delete", "apps", "deployments", ""},
			{"get list create update patch delete", "apps", "statefulsets", ""},
			{"get list watch create delete", "batch", "jobs", ""},
			{"get create delete", "policy", "poddisruptionbudgets", ""},
			{"get create delete", "rbac.authorization.k8s.io", "roles", ""},
			{"get create delete", "rbac.authorization.k8s.io", "rolebindings", ""},
			{"get list create update patch delete", "autoscaling", "horizontalpodautoscalers", ""},
			{"update", "apps", "deployments", "scale"}, // backup and restore
			{"update", "apps", "statefulsets", "scale"},
			{"get list watch patch delete", "", "pods", ""},
			{"get", "", "pods", "proxy"},   // OpenBao's metrics
			{"create", "", "pods", "exec"}, // PostgreSQL's own tools
			{"get", "", "pods", "log"},
			{"create", "", "pods", "portforward"},
			{"list", "", "events", ""},
			{"list", "discovery.k8s.io", "endpointslices", ""},
		})...)
	}
	for _, namespace := range e.Loads {
		all = append(all, in(namespace, []wish{
			{"create", "", "configmaps", ""},
			{"create delete", "batch", "jobs", ""},
			{"get list", "", "pods", ""},
			{"get", "", "pods", "log"},
			{"create", "", "pods", "attach"}, // the fixture comes by standard input
		})...)
	}
	return all
}

// wish is verbs on a resource.
type wish struct{ verbs, group, resource, sub string }

func in(namespace string, wishes []wish) []authorizationv1.ResourceAttributes {
	var all []authorizationv1.ResourceAttributes
	for _, w := range wishes {
		for _, verb := range strings.Fields(w.verbs) {
			all = append(all, authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: verb, Group: w.group, Resource: w.resource, Subresource: w.sub,
			})
		}
	}
	return all
}

func describeRight(r authorizationv1.ResourceAttributes) string {
	what := r.Resource
	if r.Subresource != "" {
		what += "/" + r.Subresource
	}
	if r.Group != "" {
		what += "." + r.Group
	}
	if r.Namespace == "" {
		return r.Verb + " " + what
	}
	return fmt.Sprintf("%s %s in namespace %s", r.Verb, what, r.Namespace)
}
