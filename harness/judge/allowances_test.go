package judge_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
)

func TestAllowances(t *testing.T) {
	t.Parallel()
	r := good()
	l := r.Topologies[0].Load
	l.Thresholds = append(l.Thresholds, result.Threshold{From: "intended", Limit: 25})
	replace(slower(0.15, 24.9))(r)
	p := judge.Policy{SLO: slos(t, sloFile), Validity: judge.DefaultValidity()}
	judge.Judge(r, p)
	require.Equal(t, result.Fail, r.Verdict)
	r.Run.EnvironmentLatency = 5
	judge.Judge(r, p)
	require.Equal(t, result.Pass, r.Verdict, "10 + 10 + 5 ms")
	replace(func(_, k int) fetch { return fetch{ms: 3, failed: k < 40} })(r)
	judge.Judge(r, p)
	require.Equal(t, result.Fail, r.Verdict, "latency allowances excuse no errors")
}

// TestUntriedScenarios judges scenarios that were not tried to their end: they support no PASS,
// and hide no FAIL.
func TestUntriedScenarios(t *testing.T) {
	t.Parallel()
	passed, declared := result.Scenario{ID: "a/one", Status: result.Passed},
		result.Scenario{ID: "a/two", Status: result.Skipped, Reason: "no cluster here"}
	for name, tc := range map[string]struct {
		scenarios []result.Scenario
		want      result.Verdict
	}{
		"a declared skip": {[]result.Scenario{passed, declared}, result.Pass},
		"untried": {[]result.Scenario{passed, {
			ID: "a/x", Status: result.Skipped,
			Reason: "a node had no disk", Untried: true,
		}}, result.Inconclusive},
		"interrupted, in an old record": {[]result.Scenario{passed, {
			ID: "a/x", Status: result.Skipped,
			Reason: "interrupted",
		}}, result.Inconclusive},
		"untried beside a failure": {[]result.Scenario{
			{ID: "a/x", Status: result.Skipped, Reason: "a node had no disk", Untried: true}, {
				ID: "a/y", Status: result.Failed,
				Reason: "lost",
			},
		}, result.Fail},
	} {
		r := &result.Result{Topologies: []result.Topology{{Name: "cloud-native", Scenarios: tc.scenarios}}}
		judge.Judge(r, judge.Policy{Expect: judge.Expect{Scenarios: true}})
		require.Equal(t, tc.want, r.Verdict, "%s: %q", name, r.Reasons)
	}
}
