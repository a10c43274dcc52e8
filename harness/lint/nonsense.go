package lint

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/lint/mutate"
)

var nonsenseRules = []Rule{{
	ID: "values/nonsense", Title: "the chart refuses values that make no sense", Severity: Warning,
	Protects: "A mistyped value that is taken installs something else than was meant, or pods that do not start.",
	Hint:     "list what there is in values.schema.json, with additionalProperties: false",
	Detail: "Of a chart with a values.schema.json: sets modes, levels, types, tiers, ports and sizes that do not exist, " +
		"one at a time, where the chart has the key and its default is not empty, and an unknown key at the top " +
		"where the schema closes any object. The schema or a template has to refuse each.",
	chart: nonsense,
}}

// noValues are values that do not exist, by the end of the key that they are for.
var noValues = map[string]any{
	"connection.sslMode": "moon", "config.logLevel": "moon", "config.logFormat": "moon", "sizing.tier": 7,
	"image.pullPolicy": "Sometimes", "strategy.type": "Sideways", "serviceActive.type": "Sideways",
	"config.apiPort": 70000, "config.clusterPort": 0, "connection.port": 70000, "replicaCount": -1,
	"postgresql.maxParallel": -1, "podAntiAffinityPreset": "moon", "initialize.policy": "moon",
}

func nonsense(s *subject) []Finding {
	schema, err := s.chart.Schema()
	if err != nil || schema == nil || len(s.bases()) == 0 {
		return nil
	}
	var all []Finding
	for _, leaf := range s.leaves {
		path := leaf.Path.String()
		for _, end := range slices.Sorted(maps.Keys(noValues)) {
			if path != end && !strings.HasSuffix(path, "."+end) || mutate.Empty(leaf.Value) {
				continue
			}
			if c := s.probe(map[string]any{path: noValues[end]}); c.Err == nil {
				all = append(all, seen(s.aboutValue(path, fmt.Sprintf("takes %v", noValues[end])), c))
			}
		}
	}
	text, _ := json.Marshal(schema)
	if !strings.Contains(string(text), `"additionalProperties":false`) {
		return all
	}
	from := s.bases()[0]
	c := &Case{
		Name: from.Name, Values: mutate.Set(from.Values, mutate.Path{"steamerNonsense"}, true),
		Release: from.Release,
	}
	if s.render(c); c.Err == nil {
		all = append(all, seen(Finding{File: "values.schema.json", Message: "takes an unknown key at the top"}, c))
	}
	return all
}
