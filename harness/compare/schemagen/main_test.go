package main

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/result"
)

const published = "../../docs/reference/comparison.schema.json"

// TestSchema is one test because the generator reads the current directory.
func TestSchema(t *testing.T) {
	t.Chdir("..")
	got, err := generate()
	require.NoError(t, err)
	want, err := os.ReadFile(published)
	require.NoError(t, err, "run go generate ./harness/compare")
	require.Equal(t, string(want), string(got), "the published schema is stale: run go generate ./harness/compare")

	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(got))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("comparison.schema.json", doc))
	schema, err := compiler.Compile("comparison.schema.json")
	require.NoError(t, err)
	valid := func(change func(*compare.Comparison)) bool {
		c := compare.New("x", compare.DefaultDesign())
		c.Pairs = []compare.Pair{{Order: "AB", A: compare.Slice{Values: map[string]float64{"fetch_p50_ms": 1}}}}
		compare.Judge(c, nil)
		change(c)
		b, err := json.Marshal(c)
		require.NoError(t, err)
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		require.NoError(t, err)
		return schema.Validate(v) == nil
	}
	require.True(t, valid(func(*compare.Comparison) {}))
	require.False(t, valid(func(c *compare.Comparison) { c.Verdict = "GREEN" }))
	require.False(t, valid(func(c *compare.Comparison) { c.APIVersion = "steamer/v2" }))
	require.False(t, valid(func(c *compare.Comparison) { c.Pairs[0].Order = "AA" }))
	require.False(t, valid(func(c *compare.Comparison) { c.Kind = result.Kind }))
}
