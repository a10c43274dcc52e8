package chart

import (
	"bytes"
	"encoding/json"
	"fmt"

	"helm.sh/helm/v3/pkg/chart"
)

// localSchema takes references to other documents out of a chart's schemas and its dependencies':
// what they describe may then be anything. GitLab's chart refers to Kubernetes' definitions on
// another host. Helm would fetch them for every rendering and fail without a network; and what is
// not in the chart's bytes can change between two runs. The API server checks the same fields.
func localSchema(c *chart.Chart) error {
	for _, dependency := range c.Dependencies() {
		if err := localSchema(dependency); err != nil {
			return err
		}
	}
	if !bytes.Contains(c.Schema, []byte(`"$ref"`)) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(c.Schema))
	decoder.UseNumber()
	var schema any
	err := decoder.Decode(&schema)
	if err == nil {
		cutReferences(schema)
		c.Schema, err = json.Marshal(schema)
	}
	if err != nil {
		return fmt.Errorf("values.schema.json of %s: %w", c.Name(), err)
	}
	return nil
}
