package mutate_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/lint/mutate"
)

func values(t testing.TB, text string) map[string]any {
	t.Helper()
	var out map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &out))
	return out
}

// TestLeaves finds the keys with their lines; an empty map is a leaf, a list is one as a whole.
func TestLeaves(t *testing.T) {
	t.Parallel()
	const text = "# a comment\na:\n  b: 1\n  c: {}\nd.e:\n  - x\nf: null\n"
	type found struct {
		path string
		line int
	}
	var got []found
	for _, leaf := range mutate.Leaves(values(t, text), []byte(text), mutate.Schema{}) {
		got = append(got, found{leaf.Path.String(), leaf.Line})
	}
	require.Equal(t, []found{{"a.b", 3}, {"a.c", 4}, {`d\.e`, 5}, {"f", 7}}, got)
}

// TestCandidates proposes what the schema and the type allow, never the value itself, and nothing
// twice.
func TestCandidates(t *testing.T) {
	t.Parallel()
	schema := values(t, `
properties:
  choice: {enum: [a, b, c]}
  ref: {$ref: '#/definitions/r'}
  cycle: {$ref: '#/properties/cycle'}
  maybe: {type: [boolean, "null"]}
  map: {type: object, additionalProperties: {type: string}}
definitions:
  r: {type: array, items: {type: object, properties: {count: {type: integer, minimum: 5}}}}
`)
	text := "choice: b\nref: []\ncycle: ''\nmaybe: null\nmap: {}\nnumber: 3\nfraction: 0.5\nflag: true\ntext: t\n"
	want := map[string]any{
		"choice": "a", "ref": []any{map[string]any{"count": float64(6)}}, "cycle": "mutated", "maybe": true,
		"map":    map[string]any{"mutated": "mutated"},
		"number": float64(4), "fraction": 1.5, "flag": false, "text": "tx",
	}
	switches := map[string]bool{"choice": true, "maybe": true, "flag": true}
	leaves := mutate.Leaves(values(t, text), []byte(text), mutate.NewSchema(schema))
	require.Len(t, leaves, len(want))
	for _, leaf := range leaves {
		name := leaf.Path.String()
		candidates := leaf.Candidates(leaf.Value)
		require.NotContains(t, candidates, leaf.Value, name)
		require.Equal(t, want[name], candidates[0], name)
		require.Equal(t, switches[name], leaf.Switch(), name)
		for i, a := range candidates {
			require.NotContains(t, candidates[i+1:], a, name)
		}
	}
	require.Len(t, leaves[0].Candidates("b"), 2, "an enumeration and nothing else")
}

// TestCandidatesOfJSONNumbers covers the form in which Helm holds a chart's numbers.
func TestCandidatesOfJSONNumbers(t *testing.T) {
	t.Parallel()
	require.Equal(t, float64(8201), mutate.Leaf{}.Candidates(json.Number("8200"))[0])
	require.NotContains(t, mutate.Leaf{}.Candidates(json.Number("1")), float64(1))
}

func TestSetAndGet(t *testing.T) {
	t.Parallel()
	before := values(t, "a: {b: 1, c: 2}\n")
	after := mutate.Set(before, mutate.Path{"a", "b"}, 3)
	after = mutate.Set(after, mutate.Path{"x", "y"}, 4)
	require.Equal(t, values(t, "a: {b: 1, c: 2}\n"), before, "the argument was changed")
	for path, want := range map[string]any{"b": 3, "c": float64(2)} {
		got, found := mutate.Get(after, mutate.Path{"a", path})
		require.True(t, found)
		require.EqualValues(t, want, got)
	}
	_, found := mutate.Get(after, mutate.Path{"a", "b", "c"})
	require.False(t, found)
	require.Equal(t, 1, mutate.Path{"a", "b"}.Shared(mutate.Path{"a", "c"}))
}

// FuzzLeaves walks any values and schema and asks each key for candidates: no panic, no endless
// recursion.
func FuzzLeaves(f *testing.F) {
	f.Add("a: {b: [1]}", `{"properties":{"a":{"$ref":"#"}}}`)
	f.Add("a: null", `{"properties":{"a":{"$ref":"#/properties/a"}}}`)
	f.Add("a: {}", `{"properties":{"a":{"oneOf":[{"type":"object","properties":{"a":{"$ref":"#/properties/a"}}}]}}}`)
	f.Add("? [a]\n: b", `{"properties":1}`)
	f.Add("a: &x [*x]", `[]`)
	f.Fuzz(func(t *testing.T, text, schemaText string) {
		var parsed, schema map[string]any
		if yaml.Unmarshal([]byte(text), &parsed) != nil {
			return
		}
		_ = json.Unmarshal([]byte(schemaText), &schema)
		for _, leaf := range mutate.Leaves(parsed, []byte(text), mutate.NewSchema(schema)) {
			for _, candidate := range leaf.Candidates(leaf.Value) {
				changed := mutate.Set(parsed, leaf.Path, candidate)
				got, found := mutate.Get(changed, leaf.Path)
				require.True(t, found)
				require.Equal(t, candidate, got)
			}
		}
	})
}
