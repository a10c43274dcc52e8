package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Existing names a cluster that is not Steamer's, and what a run will want of it.
type Existing struct {
	Kubeconfig string // path; empty for kubectl's own search: KUBECONFIG, then ~/.kube/config
	Context    string // empty for the current context
	HostPort   int    // loopback port that will be forwarded to OpenBao
	SecondPort int    // and to a second one; 0 where there is none
	Needs      []Need // rights that the run will use
}

// Need is something that a run does on a cluster: verbs on a resource, or on the objects of a
// kind, which the cluster knows the resource of.
type Need struct {
	Verbs            string // with spaces between, e.g. "get list"
	Group, Resource  string // the resource in the plural, with its subresource after a slash
	APIVersion, Kind string // in place of Resource
	Namespace        string // empty for the whole cluster
	For              string // the object or scenario that needs it
}

// OpenExisting connects to a cluster and asks its API server whether the kubeconfig's user may do
// what a run does. It changes nothing there. Errors are of code exit.Invalid; exit.Environment
// when the cluster does not answer.
func OpenExisting(ctx context.Context, e Existing) (*Cluster, error) {
	ports := Options{HostPort: e.HostPort, Second: e.SecondPort != 0, SecondPort: e.SecondPort}
	if err := ports.portsFree(); err != nil {
		return nil, err
	}
	c := &Cluster{
		Name: e.name(), Kubeconfig: e.Kubeconfig, Context: e.Context, HostPort: e.HostPort,
		SecondPort: e.SecondPort,
	}
	if err := c.connect(e.Context); err != nil {
		return nil, err
	}
	rights, err := c.rights(e.Needs)
	if err != nil {
		return nil, err
	}
	var refused []string
	for _, right := range rights {
		review := &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &right.ResourceAttributes},
		}
		answer, err := c.Client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return nil, exit.Environmentf(c.Name, "kubectl auth can-i --list shows the user's rights",
				"its rights cannot be asked for: %w", err)
		}
		if !answer.Status.Allowed {
			refused = append(refused, right.describe())
		}
	}
	if len(refused) > 0 {
		return nil, exit.Invalidf(c.Name, "bind the user to a role that allows it, use another --context, or leave "+
			"scenarios out with --scenarios",
			"its user may not\n  %s", strings.Join(refused, "\n  "))
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

// right is one right to ask for, and what needs it.
type right struct {
	authorizationv1.ResourceAttributes
	needers []string
}

// rights resolves needs to rights, each once, in the order in which they were first needed. A kind
// that the cluster does not know is an error of code exit.Invalid: an install would fail half way.
func (c *Cluster) rights(needs []Need) ([]*right, error) {
	var all []*right
	seen := map[authorizationv1.ResourceAttributes]*right{}
	for _, need := range needs {
		attributes := authorizationv1.ResourceAttributes{Namespace: need.Namespace, Group: need.Group}
		attributes.Resource, attributes.Subresource, _ = strings.Cut(need.Resource, "/")
		if need.Kind != "" {
			resource, err := c.resourceOf(need.APIVersion, need.Kind)
			if err != nil {
				return nil, exit.Invalidf(c.Name, "install what defines it, or switch it off in the chart's values", "%s: %w",
					need.For, err)
			}
			attributes.Group, attributes.Resource = resource.Group, resource.Name
			if !resource.Namespaced {
				attributes.Namespace = ""
			}
		}
		for _, verb := range strings.Fields(need.Verbs) {
			attributes.Verb = verb
			if seen[attributes] == nil {
				seen[attributes] = &right{ResourceAttributes: attributes}
				all = append(all, seen[attributes])
			}
			if r := seen[attributes]; !slices.Contains(r.needers, need.For) {
				r.needers = append(r.needers, need.For)
			}
		}
	}
	return all, nil
}

// resourceOf asks the cluster for the resource whose objects are of a kind.
func (c *Cluster) resourceOf(apiVersion, kind string) (metav1.APIResource, error) {
	known, err := c.Client.Discovery().ServerResourcesForGroupVersion(apiVersion)
	if err != nil && !apierrors.IsNotFound(err) {
		return metav1.APIResource{}, err
	}
	if err == nil {
		group, _ := schema.ParseGroupVersion(apiVersion)
		for _, resource := range known.APIResources {
			if resource.Kind == kind && !strings.Contains(resource.Name, "/") {
				resource.Group = group.Group
				return resource, nil
			}
		}
	}
	return metav1.APIResource{}, fmt.Errorf("the cluster knows no %s of %s", kind, apiVersion)
}

// maxNeeders bounds how many are named that need a right.
const maxNeeders = 3

// describe names the right and what needs it.
func (r *right) describe() string {
	what := r.Resource
	if r.Subresource != "" {
		what += "/" + r.Subresource
	}
	if r.Group != "" {
		what += "." + r.Group
	}
	what = r.Verb + " " + what
	if r.Namespace != "" {
		what += " in namespace " + r.Namespace
	}
	needers := strings.Join(r.needers[:min(maxNeeders, len(r.needers))], ", ")
	if more := len(r.needers) - maxNeeders; more > 0 {
		needers += fmt.Sprintf(" and %d more", more)
	}
	return what + ", for " + needers
}
