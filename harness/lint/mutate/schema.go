package mutate

import (
	"maps"
	"slices"
	"strings"
)

// Schema is a place in a JSON schema. The zero value says nothing about anything.
type Schema struct {
	root, node map[string]any
}

// NewSchema wraps the schema of a chart's values, which may be nil.
func NewSchema(root map[string]any) Schema { return Schema{root, root} }

// resolved follows local references; a chain of more than 8 is taken for a cycle.
func (s Schema) resolved() Schema {
	for range 8 {
		ref, ok := s.node["$ref"].(string)
		if !ok || !strings.HasPrefix(ref, "#/") {
			return s
		}
		node := s.root
		for step := range strings.SplitSeq(ref[2:], "/") {
			node, _ = node[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)].(map[string]any)
		}
		s.node = node
	}
	return Schema{}
}

func (s Schema) property(name string) Schema {
	s = s.resolved()
	properties, _ := s.node["properties"].(map[string]any)
	node, ok := properties[name].(map[string]any)
	if !ok {
		node, _ = s.node["additionalProperties"].(map[string]any)
	}
	return Schema{s.root, node}
}

// enum is the list of values that the schema allows, nil when it names none.
func (s Schema) enum() []any {
	list, _ := s.resolved().node["enum"].([]any)
	return list
}

// maxParts bounds examples of schemas that are recursive or big.
const maxParts = 200

// example makes a value that the schema may accept, of no more parts than left; false where the
// schema says too little.
func (s Schema) example(left *int) (any, bool) {
	s = s.resolved()
	if *left--; *left < 0 || len(s.node) == 0 {
		return nil, false
	}
	if enum := s.enum(); len(enum) > 0 {
		return enum[len(enum)-1], true
	}
	for _, key := range []string{"oneOf", "anyOf"} {
		if options, _ := s.node[key].([]any); len(options) > 0 {
			option, _ := options[len(options)-1].(map[string]any)
			return Schema{s.root, option}.example(left)
		}
	}
	switch s.kind() {
	case "string":
		return "mutated", true
	case "integer", "number":
		if low, ok := s.node["minimum"].(float64); ok {
			return int64(low) + 1, true
		}
		return int64(7), true
	case "boolean":
		return true, true
	case "array":
		items, _ := s.node["items"].(map[string]any)
		if item, ok := (Schema{s.root, items}).example(left); ok {
			return []any{item}, true
		}
		return nil, false
	case "object":
		return s.object(left)
	}
	return nil, false
}

// kind is the type that the schema names; of several the first that is not null.
func (s Schema) kind() string {
	switch kind := s.node["type"].(type) {
	case string:
		return kind
	case []any:
		for _, k := range kind {
			if name, _ := k.(string); name != "null" {
				return name
			}
		}
	}
	return ""
}

func (s Schema) object(left *int) (any, bool) {
	out := map[string]any{}
	properties, _ := s.node["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if value, ok := s.property(name).example(left); ok {
			out[name] = value
		}
	}
	if len(out) == 0 {
		out["mutated"] = "mutated"
		if value, ok := s.property("mutated").example(left); ok {
			out["mutated"] = value
		}
	}
	return out, true
}
