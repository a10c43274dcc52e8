package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gitlab.com/steamer/steamer/harness/result"
)

// TestResultSchema is not parallel because the generator changes the working directory.
func TestResultSchema(t *testing.T) {
	got, err := resultSchema(root)
	require.NoError(t, err)
	require.Contains(t, string(got), "latency from the intended start: free of coordinated omission",
		"field comments are the descriptions")

	schema := schema(t, got)
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
			b, err := json.Marshal(r)
			require.NoError(t, err)
			err = schema.Validate(generic(t, string(b)))
			require.Equal(t, tc.valid, err == nil, "%v", err)
		})
	}
}

// TestStaleSchema: a type or field that has other values in the schema must be there.
func TestStaleSchema(t *testing.T) {
	for _, gone := range []field{{"Ghost", "verdict"}, {"Result", "ghost"}} {
		d := schemaFile{of: []string{"harness/result"}, value: &result.Result{}, enums: map[field][]string{gone: {"x"}}}
		_, err := d.generate(root)
		require.ErrorContains(t, err, "there is no field "+gone.def+"."+gone.property)
	}
	_, err := schemaFile{of: []string{"nowhere"}, value: &result.Result{}}.generate(root)
	require.Error(t, err, "no source to take comments from")
}
