package main

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"gitlab.com/steamer/steamer/harness/result"
)

const published = "../../docs/reference/result.schema.json"

// TestSchema is one test because the generator reads the current directory.
func TestSchema(t *testing.T) {
	t.Chdir("..")
	got, err := generate()
	require.NoError(t, err)
	want, err := os.ReadFile(published)
	require.NoError(t, err, "run go generate ./harness/result")
	require.Equal(t, string(want), string(got), "the published schema is stale: run go generate ./harness/result")
	require.Contains(t, string(got), "latency from the intended start: free of coordinated omission",
		"field comments are the descriptions")

	schema := compile(t, got)
	for name, tc := range map[string]struct {
		change func(*result.Result)
		valid  bool
	}{
		"empty lists": {func(*result.Result) {}, true},
		"with a topology": {
			func(r *result.Result) { r.Topologies = []result.Topology{{Name: "a", Verdict: result.Pass}} },
			true,
		},
		"with load": {func(r *result.Result) {
			r.Topologies = []result.Topology{{
				Name: "a", Verdict: result.Pass,
				Load: &result.Load{Series: []result.Interval{{Phase: "measure"}}},
			}}
		}, true},
		"odd verdict":   {func(r *result.Result) { r.Verdict = "GREEN" }, false},
		"newer version": {func(r *result.Result) { r.APIVersion = "steamer/v2" }, false},
		"odd check kind": {func(r *result.Result) {
			r.Topologies = []result.Topology{{
				Name: "a", Verdict: result.Pass,
				Checks: []result.Check{{Verdict: result.Pass, Kind: "x"}},
			}}
		}, false},
		"odd scenario": {func(r *result.Result) {
			r.Topologies = []result.Topology{{Name: "a", Verdict: result.Pass, Scenarios: []result.Scenario{{Status: "ok"}}}}
		}, false},
		"odd load phase": {func(r *result.Result) {
			r.Topologies = []result.Topology{{
				Name: "a", Verdict: result.Pass,
				Load: &result.Load{Series: []result.Interval{{Phase: "x"}}},
			}}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := &result.Result{
				APIVersion: result.APIVersion, Kind: result.Kind, Verdict: result.Pass,
				Run: result.Run{ID: "x", Started: time.Unix(0, 0).UTC(), Finished: time.Unix(1, 0).UTC()},
			}
			tc.change(r)
			require.Equal(t, tc.valid, schema.Validate(generic(t, r)) == nil, "%v", schema.Validate(generic(t, r)))
		})
	}
}

func compile(t *testing.T, doc []byte) *jsonschema.Schema {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("result.schema.json", v))
	s, err := c.Compile("result.schema.json")
	require.NoError(t, err)
	return s
}

// generic renders a result as a reader in another language would see it.
func generic(t *testing.T, r *result.Result) any {
	t.Helper()
	b, err := json.Marshal(r)
	require.NoError(t, err)
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	require.NoError(t, err)
	return v
}
