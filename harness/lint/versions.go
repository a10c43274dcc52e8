package lint

import (
	"strings"

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
			if after := counterpart(o, objects); after != nil && !replaced(o) {
				for _, finding := range frozen(o, after, counterpart(o, r.second)) {
					all = append(all, seen(finding, r.Case))
				}
			}
		}
	}
	return all
}

// replaced says whether Helm deletes the object before it creates it again: a hook, unless a
// policy says otherwise.
func replaced(o *Object) bool {
	policy, set := o.notes["helm.sh/hook-delete-policy"]
	return len(o.hooks()) > 0 && (!set || strings.Contains(policy, "before-hook-creation"))
}

// frozen lists the fixed fields that differ between two versions; what differs between two renders
// of one version is left to upgrade/deterministic.
func frozen(before, after, again *Object) []Finding {
	var all []Finding
	for _, path := range kubeapi.Immutable(before.GVK.Kind) {
		was, is := before.field(path...), after.field(path...)
		if kubeapi.FilledIn(path) && (was == nil || is == nil) {
			continue
		}
		changed := differences(was, is, path)
		if len(changed) == 0 || again == nil || len(differences(was, again.field(path...), nil)) > 0 {
			continue
		}
		all = append(all, at(before, changed[0].String(),
			"holds the chart's version or appVersion; Kubernetes refuses to change it, and with it every upgrade"))
	}
	if (before.GVK.Kind == "ConfigMap" || before.GVK.Kind == "Secret") && before.Tree["immutable"] == true &&
		again != nil &&
		len(differences(before.Tree["data"], after.Tree["data"], nil)) > 0 &&
		len(differences(before.Tree["data"], again.Tree["data"], nil)) == 0 {
		all = append(all, at(before, "data",
			"is immutable and changes with the chart's version; Kubernetes refuses the upgrade"))
	}
	return all
}

// field walks the object; nil where there is nothing.
func (o *Object) field(path ...string) any {
	value, _, _ := unstructured.NestedFieldNoCopy(o.Tree, path...) // an error is a step that is no map
	return value
}
