package chart

import (
	"errors"
	"fmt"

	"helm.sh/helm/v3/pkg/chart"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// Documents splits rendered templates, as Render returns them, in the order of the files' names.
// Notes, partials and empty documents are left out.
func Documents(files map[string]string) []Document { return split(&chart.Chart{}, files) }

// Objects decodes documents into the objects that Helm would install, lists taken apart. Documents
// without a kind are left out. The error names every template that does not make Kubernetes
// objects; what the others make is returned beside it.
func Objects(documents []Document) ([]*unstructured.Unstructured, error) {
	var found []*unstructured.Unstructured
	var failed []error
	for _, d := range documents {
		data, err := yaml.YAMLToJSON([]byte(d.Text))
		if err == nil {
			err = decode(data, &found)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("template %s does not make Kubernetes objects: %w", d.Template, err))
		}
	}
	return found, errors.Join(failed...)
}

// decode adds an object, or the items of a list, which may be lists.
func decode(data []byte, found *[]*unstructured.Unstructured) error {
	decoded, _, err := unstructured.UnstructuredJSONScheme.Decode(data, nil, nil)
	if runtime.IsMissingKind(err) {
		return nil
	}
	if err != nil {
		return err
	}
	list, isList := decoded.(*unstructured.UnstructuredList)
	if !isList {
		if object, ok := decoded.(*unstructured.Unstructured); ok {
			*found = append(*found, object)
		}
		return nil
	}
	for _, item := range list.Items {
		data, err := item.MarshalJSON()
		if err == nil {
			err = decode(data, found)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// As reads an object into a struct of the fields that matter, by their JSON names.
func As(object *unstructured.Unstructured, into any) error {
	return runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into)
}
