package lint

import (
	"regexp"

	"k8s.io/apimachinery/pkg/util/sets"

	"gitlab.com/steamer/steamer/harness/lint/kubeapi"
)

// otherNamespace is where a second release of the same name is rendered to.
const otherNamespace = "steamer-check-other"

// releases compares the cases that render something of their own with two other releases: one with
// another name in the same namespace, and one with the same name in another namespace.
func releases(s *subject) []Finding {
	var all []Finding
	known := sets.New[string]()
	for _, c := range s.rendered() {
		if c.Kind == Renamed || !hasNew(c, known) || c.Kind != Base && s.over(upgradeShare) {
			continue
		}
		for _, other := range []struct{ release, namespace, again string }{
			{otherRelease, namespace, "has the same name in every release"},
			{c.Release, otherNamespace, "has the same name in a release of the same name in another namespace"},
		} {
			as := c.rendering(s)
			as.Release, as.Namespace = other.release, other.namespace
			documents, err := s.renderer.RenderDocuments(as, c.Values)
			if err != nil {
				continue // helm/renders
			}
			for _, finding := range s.touching(c.Objects, s.objectsOfAll(documents), other.namespace, other.again) {
				all = append(all, seen(finding, c))
			}
		}
	}
	return all
}

// hasNew says whether a case renders an object that no case before it has, and adds its objects.
func hasNew(c *Case, known sets.Set[string]) bool {
	before := len(known)
	for _, o := range c.Objects {
		known.Insert(o.ID() + "/" + o.namespace)
	}
	return len(known) > before
}

// touching lists the objects of one release that another release has too, or whose selectors find
// the other's pods.
func (s *subject) touching(mine, others []*Object, where, again string) []Finding {
	var all []Finding
	for _, own := range mine {
		for _, other := range others {
			if own.Name != "" && s.identity(own, namespace) == s.identity(other, where) {
				finding := at(own, "metadata.name", again)
				if own.GVK.Kind == "CustomResourceDefinition" || own.GVK.Kind == "APIService" {
					finding.Severity, finding.Hint = Warning, "its name cannot vary: put it into crds/, or into a chart of its own"
				}
				all = append(all, finding)
			}
			p := other.pod()
			if p == nil || where != namespace {
				continue
			}
			for _, selection := range selections(own) {
				if selection.services || selection.loose {
					continue
				}
				if matched, err := matches(selection.selector, p.meta.Labels, false); err == nil && matched {
					all = append(all, at(own, selection.path, "also selects the pods of "+other.ID()+" in another release"))
				}
			}
		}
	}
	return all
}

// identity is what may exist once in a cluster; in is the namespace of the release.
func (s *subject) identity(o *Object, in string) string {
	if o.namespace != "" {
		in = o.namespace
	}
	if s.clusterScoped(o) {
		in = ""
	}
	return o.GVK.GroupKind().String() + "/" + in + "/" + o.Name
}

// clusterKind fits the names that custom resources without a namespace have by custom, and those of
// well-known ones.
var clusterKind = regexp.MustCompile(`^Cluster[A-Z]|Clusterwide|` +
	`^(Gateway|VolumeSnapshot|VolumeGroupSnapshot|Node|EC2Node|Secret)Class$|` +
	`^(SecurityContextConstraints|ConstraintTemplate|NodePool)$`)

// clusterScoped says whether an object stands in no namespace. Of a custom resource, its
// definition in the chart tells, else its name.
func (s *subject) clusterScoped(o *Object) bool {
	if s.api.Native(o.GVK.Group) {
		return kubeapi.ClusterScoped(o.GVK.Kind)
	}
	if definition := s.definitions()[o.GVK.GroupKind()]; definition != nil {
		return definition.Spec.Scope == "Cluster"
	}
	return clusterKind.MatchString(o.GVK.Kind) || o.GVK.Group == "constraints.gatekeeper.sh"
}
