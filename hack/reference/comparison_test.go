package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/result"
)

// TestComparisonSchema is not parallel because the generator changes the working directory.
func TestComparisonSchema(t *testing.T) {
	got, err := comparisonSchema(root)
	require.NoError(t, err)
	schema := schema(t, got)
	valid := func(change func(*compare.Comparison)) bool {
		c := compare.New("x", compare.DefaultDesign())
		c.Pairs = []compare.Pair{{Order: "AB", A: compare.Slice{Values: map[string]float64{"fetch_p50_ms": 1}}}}
		compare.Judge(c, nil)
		change(c)
		b, err := json.Marshal(c)
		require.NoError(t, err)
		return schema.Validate(generic(t, string(b))) == nil
	}
	require.True(t, valid(func(*compare.Comparison) {}))
	require.False(t, valid(func(c *compare.Comparison) { c.Verdict = "GREEN" }))
	require.False(t, valid(func(c *compare.Comparison) { c.APIVersion = "steamer/v2" }))
	require.False(t, valid(func(c *compare.Comparison) { c.Pairs[0].Order = "AA" }))
	require.False(t, valid(func(c *compare.Comparison) { c.Kind = result.Kind }))
}
