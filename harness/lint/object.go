package lint

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/chart"
)

// Object is one rendered object.
type Object struct {
	File string // template
	Text string
	Tree map[string]any
	GVK  schema.GroupVersionKind
	Name string

	typed     runtime.Object // nil for a kind that client-go does not know, or an object that is not as its kind says
	namespace string         // as rendered: empty is the release's
	labels    map[string]string
	notes     map[string]string // annotations
	flaws     []string          // of its YAML

	parseConfigs sync.Once // guards configs
	configs      []*config
}

// ID names the object as findings do.
func (o *Object) ID() string { return o.GVK.Kind + "/" + o.Name }

// hooks lists the moments at which Helm runs the object as a hook; none for a part of the release.
func (o *Object) hooks() []string {
	value := o.notes["helm.sh/hook"]
	if value == "" {
		return nil
	}
	var all []string
	for hook := range strings.SplitSeq(value, ",") {
		all = append(all, strings.TrimSpace(hook))
	}
	return all
}

func (o *Object) hookWeight() int {
	weight, _ := strconv.Atoi(o.notes["helm.sh/hook-weight"]) // Helm takes what is no number as 0
	return weight
}

func (o *Object) kept() bool { return o.notes["helm.sh/resource-policy"] == "keep" }

// parse reads a document. What is no object at all is an Object with flaws only; a List yields its
// items.
func parse(document chart.Document) []*Object {
	broken := &Object{File: document.Template, Text: document.Text}
	var tree map[string]any
	doubled := yaml.UnmarshalStrict([]byte(document.Text), &tree)
	if doubled != nil {
		tree = nil
		if err := yaml.Unmarshal([]byte(document.Text), &tree); err != nil {
			broken.flaws = []string{"is no YAML mapping: " + oneLine(err.Error())}
			return []*Object{broken}
		}
	}
	if tree == nil {
		return nil
	}
	object := describe(document, tree)
	if doubled != nil {
		object.flaws = append(object.flaws, "a key stands twice, the last wins: "+oneLine(doubled.Error()))
	}
	objects := object.apart(document)
	if len(objects) > 0 && objects[0] != object {
		objects[0].flaws = append(objects[0].flaws, object.flaws...)
	}
	return objects
}

// apart returns the items of a list, which may be lists, or the object where it is none.
func (o *Object) apart(document chart.Document) []*Object {
	kind, named := strings.CutSuffix(o.GVK.Kind, "List")
	list, has := o.Tree["items"]
	items, isList := list.([]any)
	if !named || !has || !isList && list != nil || o.Name != "" {
		return []*Object{o}
	}
	var objects []*Object
	for _, item := range items {
		tree, ok := item.(map[string]any)
		if !ok {
			o.flaws = append(o.flaws, "holds an item that is no object")
			return []*Object{o}
		}
		// The items of a typed list may leave out what the list's kind says.
		if kind != "" && tree["apiVersion"] == nil && tree["kind"] == nil {
			tree["apiVersion"], tree["kind"] = o.GVK.GroupVersion().String(), kind
		}
		objects = append(objects, describe(document, tree).apart(document)...)
	}
	return objects
}

func describe(document chart.Document, tree map[string]any) *Object {
	object := &Object{File: document.Template, Text: document.Text, Tree: tree}
	apiVersion, _ := tree["apiVersion"].(string)
	kind, _ := tree["kind"].(string)
	object.GVK = schema.FromAPIVersionAndKind(apiVersion, kind)
	if apiVersion == "" || kind == "" {
		object.flaws = append(object.flaws, "has no apiVersion and kind")
	}
	metadata, _ := tree["metadata"].(map[string]any)
	object.Name, _ = metadata["name"].(string)
	object.namespace, _ = metadata["namespace"].(string)
	object.labels, object.notes = texts(metadata["labels"]), texts(metadata["annotations"])
	if object.Name == "" && !strings.HasSuffix(kind, "List") && kind != "" {
		object.flaws = append(object.flaws, "has no metadata.name")
	}
	data, err := json.Marshal(tree)
	if err != nil {
		return object
	}
	if typed, _, err := scheme.Codecs.UniversalDeserializer().Decode(data, nil, nil); err == nil {
		object.typed = typed
	}
	return object
}

func texts(node any) map[string]string {
	in, _ := node.(map[string]any)
	out := map[string]string{}
	for key, value := range in {
		if text, ok := value.(string); ok {
			out[key] = text
		}
	}
	return out
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// pod is the pod, or the template of pods, in an object.
type pod struct {
	object   *Object
	path     string // of the pod in the object, with a dot at its end; empty for a Pod
	meta     *metav1.ObjectMeta
	spec     *corev1.PodSpec
	selector *metav1.LabelSelector // of the workload; nil for kinds that need none
	claims   []corev1.PersistentVolumeClaim
}

// pod returns nil for an object that makes no pods.
func (o *Object) pod() *pod {
	from := func(template *corev1.PodTemplateSpec, selector *metav1.LabelSelector) *pod {
		return &pod{object: o, path: "spec.template.", meta: &template.ObjectMeta, spec: &template.Spec, selector: selector}
	}
	switch typed := o.typed.(type) {
	case *corev1.Pod:
		return &pod{object: o, meta: &typed.ObjectMeta, spec: &typed.Spec}
	case *appsv1.Deployment:
		return from(&typed.Spec.Template, typed.Spec.Selector)
	case *appsv1.StatefulSet:
		p := from(&typed.Spec.Template, typed.Spec.Selector)
		p.claims = typed.Spec.VolumeClaimTemplates
		return p
	case *appsv1.DaemonSet:
		return from(&typed.Spec.Template, typed.Spec.Selector)
	case *appsv1.ReplicaSet:
		return from(&typed.Spec.Template, typed.Spec.Selector)
	case *batchv1.Job:
		return from(&typed.Spec.Template, nil)
	case *batchv1.CronJob:
		p := from(&typed.Spec.JobTemplate.Spec.Template, nil)
		p.path = "spec.jobTemplate.spec.template."
		return p
	}
	return nil
}

// containers visits the pod's containers with their path in the object.
func (p *pod) containers(visit func(path string, c *corev1.Container)) {
	for i := range p.spec.InitContainers {
		visit(fmt.Sprintf("%sspec.initContainers[%d]", p.path, i), &p.spec.InitContainers[i])
	}
	for i := range p.spec.Containers {
		visit(fmt.Sprintf("%sspec.containers[%d]", p.path, i), &p.spec.Containers[i])
	}
}
