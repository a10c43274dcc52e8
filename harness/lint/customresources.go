package lint

import (
	"fmt"
	"path"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"gitlab.com/steamer/steamer/harness/chart"
)

// definitions are the definitions of custom resources that the chart has, in crds/ (its
// sub-charts' too) or rendered, by group and kind.
func (s *subject) definitions() map[schema.GroupKind]*apiextensionsv1.CustomResourceDefinition {
	s.definitionsOnce.Do(func() {
		s.definitionsOf = map[schema.GroupKind]*apiextensionsv1.CustomResourceDefinition{}
		add := func(o *Object) {
			if o.GVK.Group != apiextensions.GroupName || o.GVK.Kind != "CustomResourceDefinition" {
				return
			}
			definition := &apiextensionsv1.CustomResourceDefinition{}
			if runtime.DefaultUnstructuredConverter.FromUnstructured(o.Tree, definition) != nil {
				return // kube/schema
			}
			s.definitionsOf[schema.GroupKind{Group: definition.Spec.Group, Kind: definition.Spec.Names.Kind}] = definition
		}
		files := s.chart.Files(func(name string) bool {
			return strings.HasPrefix(name, "crds/") || strings.Contains(name, "/crds/")
		})
		for name, data := range files {
			if ext := path.Ext(name); ext != ".yaml" && ext != ".yml" && ext != ".json" {
				continue
			}
			for text := range strings.SplitSeq("\n"+string(data), "\n---") {
				for _, o := range parse(chart.Document{Template: name, Text: text}) {
					add(o)
				}
			}
		}
		for _, c := range s.rendered() {
			for _, o := range c.Objects {
				add(o)
			}
		}
	})
	return s.definitionsOf
}

// customSchema compares a custom resource with its definition in the chart, as the API server
// does.
func customSchema(s *subject, o *Object) []Finding {
	definition := s.definitions()[o.GVK.GroupKind()]
	if definition == nil {
		return nil // kube/unchecked
	}
	var all []Finding
	for i := range definition.Spec.Versions {
		version := &definition.Spec.Versions[i]
		if version.Name != o.GVK.Version {
			continue
		}
		if !version.Served {
			return []Finding{at(o, "apiVersion", "the chart's definition of it does not serve "+version.Name)}
		}
		if version.Schema == nil {
			return nil
		}
		problems, err := custom(version.Schema, o.Tree)
		if err != nil {
			return []Finding{at(o, "", "was not validated: "+oneLine(err.Error()))}
		}
		for _, p := range problems {
			all = append(all, at(o, p[0], p[1]))
		}
		return all
	}
	return []Finding{at(o, "apiVersion", "the chart's definition of it has no version "+o.GVK.Version)}
}

// custom lists paths and messages where an object does not fit a schema: by the API server's own
// validation, and fields that it would drop.
func custom(schema *apiextensionsv1.CustomResourceValidation, tree map[string]any) ([][2]string, error) {
	var internal apiextensions.CustomResourceValidation
	err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(schema, &internal,
		nil)
	if err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	var all [][2]string
	for _, problem := range validation.ValidateCustomResource(nil, tree, validator) {
		// The value may be a secret; the rest of the message is the API server's.
		all = append(all, [2]string{strings.TrimPrefix(problem.Field, "<nil>."), fmt.Sprint(problem.Type, ": ",
			problem.Detail)})
	}
	form, err := structural.NewStructural(internal.OpenAPIV3Schema)
	if err != nil {
		return all, nil // not structural: the API server drops nothing
	}
	dropped := pruning.PruneWithOptions(runtime.DeepCopyJSON(tree), form, true,
		structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	for _, field := range dropped {
		all = append(all, [2]string{field, "unknown field"})
	}
	return all, nil
}
