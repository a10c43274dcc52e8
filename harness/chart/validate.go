package chart

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v3/pkg/chart"
)

// schemas are the compiled schemas of a chart and its sub-charts.
type schemas struct {
	own    *jsonschema.Schema // nil without one
	below  map[string]*schemas
	remote []string // other documents that they refer to; the references were left out
}

// compile reads schemas as Helm does, except that it goes nowhere for the documents that they
// refer to: what is behind such a reference is taken to fit.
func compile(c *chart.Chart) (*schemas, error) {
	out := &schemas{below: map[string]*schemas{}}
	if c.Schema != nil {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(c.Schema))
		if err != nil {
			return nil, fmt.Errorf("values.schema.json of %s: %w", c.Name(), err)
		}
		out.remote = cutReferences(document)
		const name = "file:///values.schema.json"
		compiler := jsonschema.NewCompiler()
		compiler.UseLoader(jsonschema.SchemeURLLoader{}) // nothing is left to load
		if err := compiler.AddResource(name, document); err != nil {
			return nil, err
		}
		if out.own, err = compiler.Compile(name); err != nil {
			return nil, fmt.Errorf("values.schema.json of %s: %w", c.Name(), err)
		}
	}
	for _, dependency := range c.Dependencies() {
		below, err := compile(dependency)
		if err != nil {
			return nil, err
		}
		out.below[dependency.Name()] = below
		out.remote = append(out.remote, below.remote...)
	}
	slices.Sort(out.remote)
	out.remote = slices.Compact(out.remote)
	return out, nil
}

// cutReferences removes references to other documents from a schema and returns these documents.
func cutReferences(node any) []string {
	var cut []string
	switch node := node.(type) {
	case map[string]any:
		if ref, ok := node["$ref"].(string); ok && !strings.HasPrefix(ref, "#") {
			document, _, _ := strings.Cut(ref, "#")
			cut = append(cut, document)
			delete(node, "$ref")
		}
		for _, value := range node {
			cut = append(cut, cutReferences(value)...)
		}
	case []any:
		for _, value := range node {
			cut = append(cut, cutReferences(value)...)
		}
	}
	return cut
}

// validate compares values with the schemas, a sub-chart's with what is under its name.
func (s *schemas) validate(name string, values map[string]any) error {
	var failures []error
	if s.own != nil {
		if err := s.own.Validate(values); err != nil {
			failures = append(failures, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(),
				"jsonschema validation failed with 'file:///values.schema.json#'\n")))
		}
	}
	for name, below := range s.below {
		if values, ok := values[name].(map[string]any); ok {
			failures = append(failures, below.validate(name, values))
		}
	}
	return errors.Join(failures...)
}
