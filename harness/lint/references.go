package lint

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"gitlab.com/steamer/steamer/harness/lint/mutate"
)

// reference is one place where pods, or a binding, refer to another object.
type reference struct {
	path, kind, name string
	keys             []string // of the Secret or ConfigMap
	optional         bool
}

// references lists what a pod refers to by name.
func (p *pod) references() []reference {
	var all []reference
	at := func(path, kind, name string, optional *bool, keys ...string) {
		all = append(all, reference{p.path + "spec." + path, kind, name, keys, optional != nil && *optional})
	}
	if name := p.spec.ServiceAccountName; name != "" && name != "default" {
		at("serviceAccountName", "ServiceAccount", name, nil)
	}
	for i, secret := range p.spec.ImagePullSecrets {
		at(fmt.Sprintf("imagePullSecrets[%d]", i), "Secret", secret.Name, nil)
	}
	for i := range p.spec.Volumes {
		volume, path := &p.spec.Volumes[i], fmt.Sprintf("volumes[%d].", i)
		if s := volume.Secret; s != nil {
			at(path+"secret.secretName", "Secret", s.SecretName, s.Optional, itemKeys(s.Items)...)
		}
		if c := volume.ConfigMap; c != nil {
			at(path+"configMap.name", "ConfigMap", c.Name, c.Optional, itemKeys(c.Items)...)
		}
		if claim := volume.PersistentVolumeClaim; claim != nil {
			at(path+"persistentVolumeClaim.claimName", "PersistentVolumeClaim", claim.ClaimName, nil)
		}
		if projected := volume.Projected; projected != nil {
			for j, source := range projected.Sources {
				if s := source.Secret; s != nil {
					at(fmt.Sprintf("%sprojected.sources[%d].secret.name", path, j), "Secret", s.Name, s.Optional, itemKeys(s.Items)...)
				}
				if c := source.ConfigMap; c != nil {
					at(fmt.Sprintf("%sprojected.sources[%d].configMap.name", path, j), "ConfigMap", c.Name, c.Optional,
						itemKeys(c.Items)...)
				}
			}
		}
	}
	p.containers(func(path string, c *corev1.Container) {
		all = append(all, environment(path, c)...)
	})
	return all
}

func itemKeys(items []corev1.KeyToPath) []string {
	var keys []string
	for _, item := range items {
		keys = append(keys, item.Key)
	}
	return keys
}

func environment(path string, c *corev1.Container) []reference {
	var all []reference
	set := func(optional *bool) bool { return optional != nil && *optional }
	for i, source := range c.EnvFrom {
		if s := source.SecretRef; s != nil {
			all = append(all, reference{
				fmt.Sprintf("%s.envFrom[%d].secretRef", path, i), "Secret", s.Name, nil,
				set(s.Optional),
			})
		}
		if m := source.ConfigMapRef; m != nil {
			all = append(all, reference{
				fmt.Sprintf("%s.envFrom[%d].configMapRef", path, i), "ConfigMap", m.Name, nil,
				set(m.Optional),
			})
		}
	}
	for i, variable := range c.Env {
		from := variable.ValueFrom
		if from == nil {
			continue
		}
		if s := from.SecretKeyRef; s != nil {
			all = append(all, reference{
				fmt.Sprintf("%s.env[%d].valueFrom.secretKeyRef", path, i), "Secret", s.Name,
				[]string{s.Key},
				set(s.Optional),
			})
		}
		if m := from.ConfigMapKeyRef; m != nil {
			all = append(all, reference{
				fmt.Sprintf("%s.env[%d].valueFrom.configMapKeyRef", path, i), "ConfigMap", m.Name,
				[]string{m.Key},
				set(m.Optional),
			})
		}
	}
	return all
}

// Objects that exist in every namespace without anybody making them.
var always = sets.New("ServiceAccount/default", "ConfigMap/kube-root-ca.crt")

func references(s *subject, c *Case) []Finding {
	var all []Finding
	for _, o := range c.Objects {
		var refs []reference
		if p := o.pod(); p != nil {
			refs = p.references()
			all = append(all, mounts(p)...)
		}
		if binding, ok := o.typed.(*rbacv1.RoleBinding); ok {
			refs = append(refs, bound(binding)...)
		}
		for _, ref := range refs {
			all = append(all, s.resolve(o, c, ref)...)
		}
	}
	return all
}

// bound lists the service accounts of a binding and the Role that it binds.
func bound(binding *rbacv1.RoleBinding) []reference {
	var refs []reference
	for i, subject := range binding.Subjects {
		if subject.Kind == rbacv1.ServiceAccountKind && (subject.Namespace == "" || subject.Namespace == namespace) {
			refs = append(refs, reference{path: fmt.Sprintf("subjects[%d].name", i), kind: subject.Kind, name: subject.Name})
		}
	}
	if binding.RoleRef.Kind == "Role" {
		refs = append(refs, reference{path: "roleRef.name", kind: "Role", name: binding.RoleRef.Name})
	}
	return refs
}

// resolve looks for what a reference leads to: in the render, then among what comes from outside.
func (s *subject) resolve(o *Object, c *Case, ref reference) []Finding {
	if ref.name == "" {
		return []Finding{at(o, ref.path, "names no "+ref.kind)}
	}
	for _, candidate := range c.Objects {
		if candidate.GVK.Kind != ref.kind || candidate.Name != ref.name {
			continue
		}
		var all []Finding
		for _, key := range ref.keys {
			if !ref.optional && !dataKeys(candidate).Has(key) {
				all = append(all, at(o, ref.path, fmt.Sprintf("%s has no key %q", candidate.ID(), key)))
			}
		}
		return all
	}
	switch {
	case ref.optional, c.Kind == SwitchedOff, always.Has(ref.kind + "/" + ref.name):
		return nil
	case ref.kind == "Secret" && (slices.Contains(c.secrets(), ref.name) || certificate(c, ref.name)):
		return nil
	case s.namedByValue(c, ref):
		return nil
	}
	return []Finding{at(o, ref.path, ref.kind+"/"+ref.name+" is not rendered, and no value names it")}
}

// secrets lists what the topology supplies to a case or to the base that it was made from.
func (c *Case) secrets() []string {
	if c.from != nil {
		return c.from.supplied
	}
	return c.supplied
}

func dataKeys(o *Object) sets.Set[string] {
	keys := sets.New[string]()
	for _, field := range []string{"data", "stringData", "binaryData"} {
		data, _ := o.Tree[field].(map[string]any)
		for key := range data {
			keys.Insert(key)
		}
	}
	return keys
}

// certificate says whether cert-manager makes the Secret, as a Certificate or an annotated Ingress
// of the render asks.
func certificate(c *Case, name string) bool {
	return slices.ContainsFunc(c.Objects, func(o *Object) bool {
		spec, _ := o.Tree["spec"].(map[string]any)
		if o.GVK.Group == "cert-manager.io" && spec["secretName"] == name {
			return true
		}
		annotated := o.notes["cert-manager.io/issuer"] != "" || o.notes["cert-manager.io/cluster-issuer"] != ""
		return o.GVK.Kind == "Ingress" && annotated && strings.Contains(o.Text, name)
	})
}

// keyWords are what the key of a value has to say for its text to be the name of an object of the
// kind.
var keyWords = map[string][]string{
	"Secret": {"secret"}, "ConfigMap": {"configmap"}, "ServiceAccount": {"serviceaccount"},
	"PersistentVolumeClaim": {"claim", "pvc"},
}

// namedByValue says whether a value of the case names the object, so that whoever sets it supplies
// the object.
func (s *subject) namedByValue(c *Case, ref reference) bool {
	if c.texts == nil { // once: values of big charts are big
		c.texts = map[string][]string{} // only wiring/references asks
		coalesced, err := s.renderer.Coalesced(c.Values)
		if err != nil {
			return false
		}
		find(coalesced, nil, func(path mutate.Path, value string) bool {
			c.texts[value] = append(c.texts[value], strings.ToLower(path.String()))
			return false
		})
	}
	return slices.ContainsFunc(c.texts[ref.name], func(key string) bool {
		return slices.ContainsFunc(keyWords[ref.kind], func(word string) bool { return strings.Contains(key, word) })
	})
}

// find walks the strings of values until wanted says yes.
func find(node any, path mutate.Path, wanted func(mutate.Path, string) bool) bool {
	switch node := node.(type) {
	case string:
		return wanted(path, node)
	case map[string]any:
		for key, value := range node {
			if find(value, append(slices.Clone(path), key), wanted) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(node, func(value any) bool { return find(value, path, wanted) })
	}
	return false
}

// mounts checks that each mount has its volume.
func mounts(p *pod) []Finding {
	volumes := sets.New[string]()
	for _, volume := range p.spec.Volumes {
		volumes.Insert(volume.Name)
	}
	for _, claim := range p.claims {
		volumes.Insert(claim.Name)
	}
	var all []Finding
	p.containers(func(path string, c *corev1.Container) {
		for i, mount := range c.VolumeMounts {
			if !volumes.Has(mount.Name) {
				all = append(all, at(p.object, fmt.Sprintf("%s.volumeMounts[%d].name", path, i),
					fmt.Sprintf("there is no volume %q", mount.Name)))
			}
		}
	})
	return all
}
