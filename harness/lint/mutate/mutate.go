// Package mutate walks the values of a chart and proposes other values for each key, such as fit
// its type and, as far as a proposal can, its schema. Whether they fit is for Helm to say.
package mutate

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Path leads to a key in values.
type Path []string

// String writes a path as Helm's --set takes it.
func (p Path) String() string {
	if !slices.ContainsFunc(p, func(key string) bool { return strings.ContainsAny(key, `\.`) }) {
		return strings.Join(p, ".")
	}
	escaped := make([]string, len(p))
	for i, key := range p {
		escaped[i] = strings.NewReplacer(`\`, `\\`, ".", `\.`).Replace(key)
	}
	return strings.Join(escaped, ".")
}

// Shared counts the keys that two paths begin with alike.
func (p Path) Shared(other Path) int {
	n := 0
	for n < len(p) && n < len(other) && p[n] == other[n] {
		n++
	}
	return n
}

// Leaf is a key of values.yaml that has no keys below it, with its default.
type Leaf struct {
	Path   Path
	Value  any
	Line   int    // in values.yaml; 0: unknown
	Schema Schema // of the value; empty where the chart's schema says nothing
}

// Leaves lists the keys of the default values in the order of their names. An empty map is a leaf.
func Leaves(defaults map[string]any, text []byte, schema Schema) []Leaf {
	lines := map[string]int{}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err == nil && len(document.Content) > 0 {
		number(document.Content[0], nil, lines)
	}
	var leaves []Leaf
	walk(defaults, nil, schema, func(leaf Leaf) {
		leaf.Line = lines[leaf.Path.String()]
		leaves = append(leaves, leaf)
	})
	return leaves
}

func walk(values map[string]any, above Path, schema Schema, visit func(Leaf)) {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		path := append(slices.Clone(above), key)
		below, isMap := values[key].(map[string]any)
		if isMap && len(below) > 0 {
			walk(below, path, schema.property(key), visit)
			continue
		}
		visit(Leaf{Path: path, Value: values[key], Schema: schema.property(key)})
	}
}

func number(node *yaml.Node, above Path, lines map[string]int) {
	if node.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		path := append(slices.Clone(above), node.Content[i].Value)
		lines[path.String()] = node.Content[i].Line
		number(node.Content[i+1], path, lines)
	}
}

// Set returns values with another value at the path; the argument is not changed. What is no map
// on the way becomes one.
func Set(values map[string]any, path Path, value any) map[string]any {
	out := make(map[string]any, len(values)+1)
	for key, v := range values {
		out[key] = v
	}
	if len(path) == 1 {
		out[path[0]] = value
		return out
	}
	below, _ := out[path[0]].(map[string]any)
	out[path[0]] = Set(below, path[1:], value)
	return out
}

// Get returns the value at the path, and whether there is one.
func Get(values map[string]any, path Path) (any, bool) {
	var node any = values
	for _, key := range path {
		below, ok := node.(map[string]any)
		if !ok {
			return nil, false
		}
		if node, ok = below[key]; !ok {
			return nil, false
		}
	}
	return node, true
}

// Empty says whether a value is one that charts take for "not set".
func Empty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case string:
		return value == ""
	case map[string]any:
		return len(value) == 0
	case []any:
		return len(value) == 0
	}
	return false
}
