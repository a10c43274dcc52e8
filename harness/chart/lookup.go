package chart

import (
	"context"
	"encoding/base64"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// Upgrading is as for an upgrade of a release that made the objects: lookup finds them with the
// marks by which Helm tells whose an object is.
func (as Rendering) Upgrading(made []map[string]any) Rendering {
	as.Upgrade, as.Existing = true, slices.Clone(as.Existing)
	for _, tree := range made {
		o := unstructured.Unstructured{Object: runtime.DeepCopyJSON(tree)}
		o.SetLabels(with(o.GetLabels(), "app.kubernetes.io/managed-by", "Helm"))
		o.SetAnnotations(with(with(o.GetAnnotations(), "meta.helm.sh/release-name", as.Release),
			"meta.helm.sh/release-namespace", as.Namespace))
		as.Existing = append(as.Existing, o.Object)
	}
	return as
}

func with(marks map[string]string, key, value string) map[string]string {
	if marks == nil {
		marks = map[string]string{}
	}
	marks[key] = value
	return marks
}

// existing answers a template's lookup from a list of objects, as a cluster that holds just these
// would.
type existing struct {
	objects []map[string]any
	missing func(apiVersion, kind, name string) // may be nil
}

// GetClientFor returns a view of the objects of one kind. Everything is taken as namespaced:
// lookups of cluster-wide objects name no namespace.
func (e existing) GetClientFor(apiVersion, kind string) (dynamic.NamespaceableResourceInterface, bool, error) {
	return &kindView{objects: e, apiVersion: apiVersion, kind: kind}, true, nil
}

// kindView implements what lookup calls: Namespace, Get and List. Anything else panics on the nil
// interface.
type kindView struct {
	dynamic.NamespaceableResourceInterface
	objects          existing
	apiVersion, kind string
	namespace        string // empty: any
}

func (v *kindView) Namespace(namespace string) dynamic.ResourceInterface {
	in := *v
	in.namespace = namespace
	return &in
}

func (v *kindView) Get(_ context.Context, name string, _ metav1.GetOptions, _ ...string) (*unstructured.Unstructured,
	error,
) {
	for _, object := range v.matching() {
		if object.GetName() == name {
			return &object, nil
		}
	}
	if v.objects.missing != nil {
		v.objects.missing(v.apiVersion, v.kind, name)
	}
	gv, _ := schema.ParseGroupVersion(v.apiVersion)
	return nil, apierrors.NewNotFound(schema.GroupResource{Group: gv.Group, Resource: v.kind}, name)
}

func (v *kindView) List(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	list := &unstructured.UnstructuredList{
		Object: map[string]any{"apiVersion": v.apiVersion, "kind": v.kind + "List"},
		Items:  v.matching(),
	}
	if len(list.Items) == 0 && v.objects.missing != nil {
		v.objects.missing(v.apiVersion, v.kind, "")
	}
	return list, nil
}

func (v *kindView) matching() []unstructured.Unstructured {
	var found []unstructured.Unstructured
	for _, tree := range v.objects.objects {
		object := (&unstructured.Unstructured{Object: tree}).DeepCopy()
		sameNamespace := v.namespace == "" || object.GetNamespace() == "" || object.GetNamespace() == v.namespace
		if object.GetAPIVersion() == v.apiVersion && object.GetKind() == v.kind && sameNamespace {
			found = append(found, *stored(object))
		}
	}
	return found
}

// stored is an object as the API server would keep it, in the one respect that templates look at:
// a Secret's stringData is in data.
func stored(object *unstructured.Unstructured) *unstructured.Unstructured {
	if object.GetKind() != "Secret" {
		return object
	}
	texts, _, _ := unstructured.NestedStringMap(object.Object, "stringData")
	for key, value := range texts {
		encoded := base64.StdEncoding.EncodeToString([]byte(value))
		_ = unstructured.SetNestedField(object.Object, encoded, "data", key) // fails only where data is no map
	}
	unstructured.RemoveNestedField(object.Object, "stringData")
	return object
}
