package topology

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// Verbs that Helm uses on what a chart consists of, and more of them on hooks, which it waits for.
const (
	objectVerbs = "get create patch delete"
	hookVerbs   = "list watch"
)

// Needs are the rights by which the environment is installed, observed, checked by the scenarios
// and removed on an existing cluster. Those of the charts follow from what they render with the
// environment's values.
func (e *Environment) Needs(list []scenario.Scenario) ([]cluster.Need, error) {
	var all []cluster.Need
	for _, namespace := range e.namespaces() {
		all = append(all, runNeeds(namespace)...)
	}
	type release struct {
		chart  *chart.Chart
		as     chart.Rendering
		values map[string]any
	}
	rendered := []release{
		{e.Spec.Chart, e.rendering(), e.values},
		{e.Spec.Chart, e.rendering(), chart.Merge(e.values, e.bootstrap)},
		{
			e.Spec.Fixtures.GitLabStub,
			chart.Rendering{Release: "gitlab-stub", Namespace: e.Namespace},
			e.stubValues("{}"),
		},
	}
	if e.Spec.Topology == CloudNative {
		rendered = append(rendered, release{
			e.Spec.Fixtures.PostgreSQL,
			chart.Rendering{Release: "postgresql", Namespace: e.DatabaseNamespace()},
			e.databaseValues(),
		})
	}
	for _, r := range rendered {
		files, err := r.chart.Render(r.as, r.values)
		if err != nil {
			return nil, err
		}
		needs, err := chartNeeds(r.chart.Info().Name, r.as.Namespace, files)
		if err != nil {
			return nil, err
		}
		all = append(all, needs...)
	}
	for _, s := range list {
		if len(s.Topologies) > 0 && !slices.Contains(s.Topologies, e.Spec.Topology) {
			continue
		}
		for _, right := range s.Needs() {
			namespaces := e.namespaces()
			if right.ClusterWide {
				namespaces = []string{""}
			}
			for _, namespace := range namespaces {
				all = append(all, cluster.Need{
					Verbs: right.Verbs, Group: right.Group, Resource: right.Resource, Namespace: namespace, For: "scenario " + s.ID,
				})
			}
		}
	}
	return all, nil
}

// runNeeds are what every run does in a namespace, beside what charts and scenarios want.
func runNeeds(namespace string) []cluster.Need {
	needs := []cluster.Need{
		{
			Verbs: "get list create update delete", Resource: "secrets",
			For: "Helm's records and what is withheld from reports",
		},
		{Verbs: "get list delete", Resource: "services", For: "the Service of the active pod, and removal"},
		{Verbs: "get list watch delete", Resource: "pods", For: "readiness"},
		{Verbs: "get", Resource: "pods/log", For: "diagnostics"},
		{Verbs: "list", Resource: "events", For: "diagnostics"},
		{Verbs: "get", Resource: "pods/proxy", For: "OpenBao's health and metrics"},
		{Verbs: "create", Resource: "pods/exec", For: "PostgreSQL's own tools"},
		{Verbs: "create", Resource: "pods/portforward", For: "fetches"},
		{Verbs: "list", Group: "discovery.k8s.io", Resource: "endpointslices", For: "readiness"},
		{Verbs: "get list", Group: "apps", Resource: "deployments", For: "readiness"},
		{Verbs: "get list", Group: "apps", Resource: "statefulsets", For: "readiness"},
		{Verbs: "list", Group: "autoscaling", Resource: "horizontalpodautoscalers", For: "readiness"},
	}
	for i := range needs {
		needs[i].Namespace = namespace
	}
	return needs
}

// chartNeeds are the rights by which Helm installs, upgrades and removes what a chart renders.
// What it defines itself by a CRD is left out: the cluster does not know it yet.
func chartNeeds(name, namespace string, files map[string]string) ([]cluster.Need, error) {
	objects, err := chart.Objects(chart.Documents(files))
	if err != nil {
		return nil, err
	}
	var all []cluster.Need
	own := map[string]bool{}
	for _, o := range objects {
		if o.GetKind() == "CustomResourceDefinition" {
			kind, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
			own[kind] = true
		}
		need := cluster.Need{
			Verbs: objectVerbs, APIVersion: o.GetAPIVersion(), Kind: o.GetKind(),
			Namespace: cmp.Or(o.GetNamespace(), namespace),
			For:       fmt.Sprintf("%s %s of chart %s", o.GetKind(), o.GetName(), name),
		}
		if hooks := o.GetAnnotations()["helm.sh/hook"]; hooks != "" {
			if strings.HasPrefix(hooks, "test") && !strings.Contains(hooks, ",") {
				continue // nobody runs it
			}
			need.Verbs += " " + hookVerbs
		}
		if strings.HasPrefix(o.GetKind(), "ClusterRole") {
			need.Verbs += " list" // to find it again for its removal
		}
		all = append(all, need)
	}
	return slices.DeleteFunc(all, func(n cluster.Need) bool { return own[n.Kind] }), nil
}
