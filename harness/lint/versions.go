package lint

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"gitlab.com/steamer/steamer/harness/lint/kubeapi"
)

// otherVersion is the version of the chart and of its application that an upgrade goes to.
const otherVersion = "99.99.99"

// immutable renders the cases once more as another version of the chart, and compares the fields
// that no upgrade may change.
func immutable(s *subject) []Finding {
	next, err := s.chart.WithVersion(otherVersion, otherVersion)
	if err != nil {
		return []Finding{{Message: "was not checked: " + reason(err), Severity: Info}}
	}
	renderer, err := next.Renderer()
	if err != nil {
		return []Finding{{Message: "was not checked: " + reason(err), Severity: Info}}
	}
	var all []Finding
	for _, r := range s.repeated() {
		documents, err := s.renderOwn(renderer, r.upgrading(s), r.Case)
		if err != nil {
			all = append(all, seen(Finding{Message: "another version of the chart does not render: " + reason(err)}, r.Case))
			continue
		}
		objects := s.objectsOfAll(documents)
		for _, o := range r.Objects {
			after, second := counterpart(o, objects), counterpart(o, r.second)
			switch {
			case len(o.hooks()) > 0 || second == nil: // Helm never changes hooks
			case after != nil:
				for _, finding := range frozen(o, after, second) {
					all = append(all, seen(finding, r.Case))
				}
			case counterpart(o, r.upgrade) != nil && (o.GVK.Kind == "StatefulSet" || o.GVK.Kind == "PersistentVolumeClaim"):
				all = append(all, seen(at(o, "metadata.name",
					"holds the chart's version or appVersion; an upgrade begins with another one, without the data"), r.Case))
			}
		}
	}
	return all
}

// frozen lists the fixed fields that differ between two versions; what differs between two renders
// of one version is left to upgrade/deterministic.
func frozen(before, after, again *Object) []Finding {
	var all []Finding
	paths := kubeapi.Immutable(before.GVK.Kind)
	if before.Tree["immutable"] == true {
		paths = append([][]string{{"data"}, {"stringData"}, {"binaryData"}}, paths...)
	}
	for _, path := range paths {
		was, is := before.field(path...), after.field(path...)
		if kubeapi.FilledIn(path) && (was == nil || is == nil) {
			continue
		}
		changed := differences(was, is, path)
		if len(changed) == 0 || len(differences(was, again.field(path...), nil)) > 0 {
			continue
		}
		all = append(all, at(before, changed[0].String(),
			"holds the chart's version or appVersion; Kubernetes refuses to change it, and with it every upgrade"))
	}
	return all
}

// field walks the object; nil where there is nothing.
func (o *Object) field(path ...string) any {
	value, _, _ := unstructured.NestedFieldNoCopy(o.Tree, path...) // an error is a step that is no map
	return value
}
