package mutate

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Switch says whether a leaf turns something on and off or chooses among a few: a boolean, or a
// schema's enumeration.
func (l Leaf) Switch() bool {
	_, isBool := l.Value.(bool)
	return isBool || l.Schema.enum() != nil || l.Value == nil && l.Schema.accepts("boolean")
}

// accepts says whether the schema names the type.
func (s Schema) accepts(kind string) bool {
	switch types := s.resolved().node["type"].(type) {
	case string:
		return types == kind
	case []any:
		return slices.Contains(types, any(kind))
	}
	return false
}

// Candidates proposes values other than the current one, the likeliest to fit first. Their numbers
// are floats, as those of a values file are.
func (l Leaf) Candidates(current any) []any {
	all := slices.Clone(l.Schema.enum())
	switch value := current.(type) {
	case bool:
		all = append(all, !value)
	case string:
		if all == nil {
			all = texts(value)
		}
	case nil:
		all = append(all, l.examples()...)
		all = append(all, true, false, int64(7), "mutated", map[string]any{"mutated": "mutated"}, []any{"mutated"},
			[]any{map[string]any{"name": "mutated"}})
	case []any:
		all = append(all, l.examples()...)
		all = append(all, lists(value)...)
	case map[string]any:
		all = append(all, l.examples()...)
		all = append(all, map[string]any{"mutated": "mutated"}, map[string]any{"mutated": int64(7)},
			map[string]any{"mutated": map[string]any{"mutated": "mutated"}})
	default:
		all = append(all, numbers(current)...)
	}
	var different []any
	for _, candidate := range all {
		candidate = asInFile(candidate)
		same := func(other any) bool { return equal(candidate, other) }
		if !same(current) && !slices.ContainsFunc(different, same) {
			different = append(different, candidate)
		}
	}
	return different
}

// equal compares numbers by what they are: Helm holds a chart's as json.Number.
func equal(a, b any) bool {
	if !isNumber(a) || !isNumber(b) {
		return reflect.DeepEqual(a, b)
	}
	x, _ := strconv.ParseFloat(fmt.Sprint(a), 64)
	y, _ := strconv.ParseFloat(fmt.Sprint(b), 64)
	return x == y
}

// asInFile is a value as Helm reads it from a values file.
func asInFile(value any) any {
	switch value := value.(type) {
	case int64:
		return float64(value)
	case []any:
		all := make([]any, len(value))
		for i := range value {
			all[i] = asInFile(value[i])
		}
		return all
	case map[string]any:
		all := make(map[string]any, len(value))
		for key := range value {
			all[key] = asInFile(value[key])
		}
		return all
	}
	return value
}

func isNumber(v any) bool {
	_, isText := v.(json.Number)
	n := reflect.ValueOf(v)
	return isText || n.IsValid() && (n.CanInt() || n.CanFloat())
}

func (l Leaf) examples() []any {
	left := maxParts
	if example, ok := l.Schema.example(&left); ok {
		return []any{example}
	}
	return nil
}

var version = regexp.MustCompile(`^v?[0-9]+\.[0-9]+\.[0-9]+$`)

// texts proposes strings: names, numbers, durations, URLs, paths, and YAML and templates for
// values that charts evaluate.
func texts(value string) []any {
	all := []any{"mutated"}
	switch {
	case version.MatchString(value):
		all = []any{"99" + value[strings.Index(value, "."):], value + "x"}
	case value != "":
		all = []any{value + "x", "mutated"}
	}
	return append(all, "http://mutated.example", "/mutated/dir/file", "35m", "7", "99.0.0", "+mutated",
		"- name: mutated\n  emptyDir: {}",
		"mutated: mutated")
}

func lists(value []any) []any {
	if len(value) > 0 {
		return []any{value[:len(value)-1], append(slices.Clone(value), value[0])}
	}
	return []any{
		[]any{map[string]any{"name": "mutated"}},
		[]any{"mutated"},
		[]any{"+mutated"},
		[]any{map[string]any{"name": "mutated", "mountPath": "/mutated"}},
		[]any{int64(7)},
	}
}

// numbers proposes neighbours and common sizes; whole numbers stay whole.
func numbers(current any) []any {
	v, err := strconv.ParseFloat(fmt.Sprint(current), 64)
	if err != nil { // what YAML values never are
		return nil
	}
	if v != math.Trunc(v) {
		return []any{v + 1, v / 2}
	}
	whole := int64(v)
	return []any{whole + 1, whole - 1, whole + 100, int64(1), int64(30000)}
}
