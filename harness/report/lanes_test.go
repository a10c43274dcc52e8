package report

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
)

// TestShardsOnTheTimeline: each installation has its scenarios on the time axis, and what went on
// beside a load is named.
func TestShardsOnTheTimeline(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return began.Add(time.Duration(s * float64(time.Second))) }
	r := &result.Result{
		Run:     result.Run{ID: "r", Started: began, Finished: at(200)},
		Verdict: result.Pass,
		Steps: []result.Step{
			{Name: "cluster", Started: began, Seconds: 30},
			{Name: "load", Topology: "cloud-native", Started: at(100), Seconds: 60},
		},
		Topologies: []result.Topology{{
			Name: "cloud-native", Verdict: result.Pass, Shards: 2, Scenarios: []result.Scenario{
				{ID: "lifecycle/install", Status: result.Passed, Started: at(30), Seconds: 10},
				{ID: "lifecycle/rollback", Status: result.Passed, Shard: 2, Started: at(40), Seconds: 20},
				{
					ID: "access/own-secret", Status: result.Failed, Reason: "a stranger got it", Shard: 1, Started: at(40),
					Seconds: 5,
				},
				{ID: "resilience/drain", Status: result.Passed, Shard: 1, Alone: "it needs the node", Started: at(50), Seconds: 30},
				{ID: "hygiene/no-secret-leaks", Status: result.Passed, Started: at(80), Seconds: 4},
			},
			Load: &result.Load{Start: at(101), WarmupSeconds: 10, MeasuredSeconds: 40},
		}},
	}
	all := lanes(r)
	require.Len(t, all, 3)
	require.Equal(t, []string{"on each shard", "shard 1", "shard 2"}, []string{all[0].Name, all[1].Name, all[2].Name})
	require.Equal(t, "2 scenarios, 35 s", all[1].Took)
	require.Equal(t, laneBar{"access/own-secret", "bad", 20, 2.5}, all[1].Bars[0])
	require.Equal(t, "resilience/drain, alone", all[1].Bars[1].Name)
	text := func() string {
		var html, md bytes.Buffer
		require.NoError(t, runHTML(&html, r))
		require.NoError(t, runMarkdown(&md, r))
		require.Contains(t, html.String(), "shard 2, 10:00:40 to 10:01:00")
		require.Contains(t, md.String(), "shard 1, 10:00:50 to 10:01:20, alone: it needs the node")
		return html.String() + md.String()
	}
	require.Contains(t, text(), "Nothing else of the run went on beside a load")
	r.Topologies[0].Scenarios[4].Started = at(100)
	require.Contains(t, text(), "scenario hygiene/no-secret-leaks on cloud-native")
	require.NotContains(t, text(), "Nothing else")
	r.Steps[0].Started = at(120)
	require.Contains(t, r.Beside(&r.Topologies[0]), "step cluster")
}
