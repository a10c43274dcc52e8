package lint

import (
	"slices"
)

// before lists the kinds that Helm creates ahead of pods among hooks of one weight.
var before = []string{"ServiceAccount", "Secret", "ConfigMap", "PersistentVolumeClaim", "Role", "RoleBinding"}

// hookOrder looks at what the pods of pre-install hooks refer to.
func hookOrder(_ *subject, c *Case) []Finding {
	var all []Finding
	for _, o := range c.Objects {
		p := o.pod()
		if p == nil || !slices.Contains(o.hooks(), "pre-install") {
			continue
		}
		for _, ref := range p.references() {
			for _, needed := range c.Objects {
				if needed.GVK.Kind != ref.kind || needed.Name != ref.name {
					continue
				}
				switch {
				case !slices.Contains(needed.hooks(), "pre-install"):
					all = append(all, at(o, ref.path, "the pre-install hook needs "+needed.ID()+", which Helm creates after it"))
				case needed.hookWeight() > o.hookWeight(), needed.hookWeight() == o.hookWeight() && !slices.Contains(before,
					needed.GVK.Kind):
					all = append(all, at(o, ref.path, "the pre-install hook needs "+needed.ID()+
						", a hook that does not come before it"))
				}
			}
		}
	}
	return all
}
