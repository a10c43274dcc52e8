package lint

import (
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
)

var restartingRules = []Rule{{
	ID: "wiring/restarts", Title: "another configuration restarts the pods", Severity: Error,
	Protects: "OpenBao reads its configuration once: an upgrade that changes the ConfigMap alone says that it worked " +
		"and changes nothing, until a pod happens to be replaced and the two differ.",
	Hint: "annotate the pods with a checksum of the rendered configuration, not of the values",
	Detail: "Compares each case that changes a configuration of OpenBao with its base: the template of the pods that " +
		"mount it has to differ as well. StatefulSets with updateStrategy OnDelete, whose operator replaces pods, " +
		"are left out.",
	each: restarting,
}}

func restarting(_ *subject, c *Case) []Finding {
	if c.from == nil || c.Kind == Renamed {
		return nil
	}
	var all []Finding
	for _, server := range serverConfigs(c) {
		before := counterpart(server.object, c.from.Objects)
		if before == nil || reflect.DeepEqual(before.Tree["data"], server.object.Tree["data"]) {
			continue
		}
		for _, p := range server.pods(c) {
			set, isSet := p.object.typed.(*appsv1.StatefulSet)
			if isSet && set.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType {
				continue
			}
			old := counterpart(p.object, c.from.Objects)
			if old != nil && reflect.DeepEqual(old.field("spec", "template"), p.object.field("spec", "template")) {
				all = append(all, at(p.object, p.path+"metadata.annotations",
					"are the same when "+server.object.ID()+" changes: the pods go on with the old configuration"))
			}
		}
	}
	return all
}
