package upgrade

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"gitlab.com/steamer/steamer/harness/chart"
)

// object is a rendered object.
type object map[string]any

// parse decodes rendered documents; the error names a template that does not make objects.
func parse(documents []chart.Document) ([]object, error) {
	decoded, err := chart.Objects(documents)
	if err != nil {
		return nil, err
	}
	all := make([]object, len(decoded))
	for i, o := range decoded {
		all[i] = o.Object
	}
	return all, nil
}

func (o object) text(path ...string) string { text, _ := o.at(path...).(string); return text }

func (o object) kind() string { return o.text("kind") }

func (o object) name() string { return o.text("metadata", "name") }

// id names the object in findings.
func (o object) id() string { return o.kind() + "/" + o.name() }

// key is by what Kubernetes tells objects apart; versions of a group are one.
func (o object) key() string {
	group := schema.FromAPIVersionAndKind(o.text("apiVersion"), o.kind()).Group
	return group + "/" + o.kind() + "/" + o.text("metadata", "namespace") + "/" + o.name()
}

// at returns what is under a path, nil where nothing is.
func (o object) at(path ...string) any {
	value, _, _ := unstructured.NestedFieldNoCopy(o, path...) // an error is a step that is no map
	return value
}

func (o object) annotation(name string) string { return o.text("metadata", "annotations", name) }

// hook reports whether Helm makes the object as a hook, so that it does not belong to the release.
func (o object) hook() bool { return o.annotation("helm.sh/hook") != "" }

// test reports whether the object exists only while helm test runs.
func (o object) test() bool { return strings.HasPrefix(o.annotation("helm.sh/hook"), "test") }

// kept reports whether the object stays when a release no longer has it.
func (o object) kept() bool { return o.hook() || o.annotation("helm.sh/resource-policy") == "keep" }

// data is what a Secret holds, decoded, by its keys.
func (o object) data() map[string]string {
	out := map[string]string{}
	encoded, _ := o.at("data").(map[string]any)
	for key, value := range encoded {
		text := fmt.Sprint(value)
		if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
			text = string(plain)
		}
		out[key] = text
	}
	plain, _ := o.at("stringData").(map[string]any)
	for key, value := range plain {
		out[key] = fmt.Sprint(value)
	}
	return out
}

// template is the pod template of a workload, nil for other objects.
func (o object) template() object {
	switch o.kind() {
	case "Deployment", "StatefulSet", "DaemonSet":
		template, _ := o.at("spec", "template").(map[string]any)
		return template
	}
	return nil
}

// labels are the labels of a pod template.
func (o object) labels() labels.Set {
	out := labels.Set{}
	all, _ := o.at("metadata", "labels").(map[string]any)
	for key, value := range all {
		out[key] = fmt.Sprint(value)
	}
	return out
}

// strategy is how a workload replaces its pods, with the API's default.
func (o object) strategy() string {
	return cmp.Or(o.text("spec", "strategy", "type"), o.text("spec", "updateStrategy", "type"), "RollingUpdate")
}

// reference is an object that a pod needs to start.
type reference struct{ kind, name, key string }

func (r reference) String() string {
	if r.key == "" {
		return r.kind + " " + r.name
	}
	return fmt.Sprintf("key %s of %s %s", r.key, r.kind, r.name)
}

// references are the Secrets and ConfigMaps that a pod template needs.
func (o object) references() []reference {
	found := map[reference]bool{}
	collect(map[string]any(o), found)
	return slices.SortedFunc(maps.Keys(found), func(a, b reference) int { return strings.Compare(a.String(), b.String()) })
}

func collect(node any, found map[reference]bool) {
	switch node := node.(type) {
	case []any:
		for _, inner := range node {
			collect(inner, found)
		}
	case map[string]any:
		for key, inner := range node {
			collect(inner, found)
			to, isMap := inner.(map[string]any)
			if !isMap || to["optional"] == true {
				continue
			}
			kind, known := map[string]string{
				"secretKeyRef": "Secret", "secretRef": "Secret", "secret": "Secret",
				"configMapKeyRef": "ConfigMap", "configMapRef": "ConfigMap", "configMap": "ConfigMap",
			}[key]
			name := cmp.Or(object(to).text("secretName"), object(to).text("name"))
			if !known || name == "" {
				continue
			}
			found[reference{kind, name, object(to).text("key")}] = true
			items, _ := to["items"].([]any)
			for _, item := range items {
				if entry, isMap := item.(map[string]any); isMap {
					found[reference{kind, name, object(entry).text("key")}] = true
				}
			}
		}
	}
}

// known reports whether every cluster has the object's kind.
func (o object) known() bool {
	return scheme.Scheme.Recognizes(schema.FromAPIVersionAndKind(o.text("apiVersion"), o.kind()))
}
