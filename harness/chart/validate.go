package chart

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v3/pkg/chart"
)

// schemas are the compiled schemas of a chart and its sub-charts.
type schemas struct {
	guard    sync.Mutex
	compiled map[string]*jsonschema.Schema // by their text
	remote   []string                      // other documents that they refer to; the references were left out
}

// newSchemas lists what the schemas of a chart and its sub-charts refer to.
func newSchemas(c *chart.Chart) *schemas {
	s := &schemas{compiled: map[string]*jsonschema.Schema{}}
	var visit func(c *chart.Chart)
	visit = func(c *chart.Chart) {
		if document, err := jsonschema.UnmarshalJSON(bytes.NewReader(c.Schema)); err == nil {
			s.remote = append(s.remote, cutReferences(document)...)
		}
		for _, dependency := range c.Dependencies() {
			visit(dependency)
		}
	}
	visit(c)
	slices.Sort(s.remote)
	s.remote = slices.Compact(s.remote)
	return s
}

// of compiles a chart's schema as Helm does, except that it goes nowhere for the documents that it
// refers to: what is behind such a reference is taken to fit. It returns nil for a chart without a
// schema.
func (s *schemas) of(c *chart.Chart) (*jsonschema.Schema, error) {
	if c.Schema == nil {
		return nil, nil
	}
	s.guard.Lock()
	defer s.guard.Unlock()
	if known := s.compiled[string(c.Schema)]; known != nil {
		return known, nil
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(c.Schema))
	if err != nil {
		return nil, fmt.Errorf("values.schema.json of %s: %w", c.Name(), err)
	}
	cutReferences(document)
	const name = "file:///values.schema.json"
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(jsonschema.SchemeURLLoader{}) // nothing is left to load
	if err := compiler.AddResource(name, document); err != nil {
		return nil, err
	}
	compiled, err := compiler.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("values.schema.json of %s: %w", c.Name(), err)
	}
	s.compiled[string(c.Schema)] = compiled
	return compiled, nil
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

// validate compares values with the schemas of a resolved chart, a sub-chart's with what is under
// its name.
func (s *schemas) validate(c *chart.Chart, values map[string]any) error {
	var failures []error
	own, err := s.of(c)
	if err != nil {
		failures = append(failures, err)
	}
	if own != nil {
		if err := own.Validate(values); err != nil {
			failures = append(failures, fmt.Errorf("%s: %s", c.Name(), strings.TrimPrefix(err.Error(),
				"jsonschema validation failed with 'file:///values.schema.json#'\n")))
		}
	}
	for _, dependency := range c.Dependencies() {
		if below, ok := values[dependency.Name()].(map[string]any); ok {
			failures = append(failures, s.validate(dependency, below))
		}
	}
	return errors.Join(failures...)
}
