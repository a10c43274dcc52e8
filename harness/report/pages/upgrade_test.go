package pages

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/jstemmer/go-junit-report/v2/junit"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target/outage"
	"gitlab.com/steamer/steamer/harness/upgrade"
)

// TestTimeline: a cell is as high as the share of its time without a fetch that worked, and a long
// watch fits into a line.
func TestTimeline(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		watched float64
		gaps    []outage.Gap
		want    string
	}{
		"none":           {4, nil, "▁▁▁▁"},
		"no watch":       {0, nil, "▁"},
		"a gap":          {6, []outage.Gap{{At: 1.5, Seconds: 2.5}}, "▁▅██▁▁"},
		"two in a cell":  {2, []outage.Gap{{At: 0, Seconds: 0.1}, {At: 0.5, Seconds: 0.1}}, "▃▁"},
		"to the end":     {3, []outage.Gap{{At: 2, Seconds: 1}}, "▁▁█"},
		"more than fits": {120, []outage.Gap{{At: 100, Seconds: 20}}, strings.Repeat("▁", 50) + strings.Repeat("█", 10)},
	} {
		require.Equal(t, tc.want, timeline(outage.Client{Watched: tc.watched, Gaps: tc.gaps}), name)
	}
}

// TestUpgradeReport: the report shows when fetches did not work, and JUnit has a case for each
// upgrade.
func TestUpgradeReport(t *testing.T) {
	t.Parallel()
	down := outage.Client{Name: "a kept connection", Watched: 5, Gaps: []outage.Gap{{At: 1, Seconds: 2}}}
	down.Sum, down.Lost = 2, 41
	r := &upgrade.Report{Topology: "cloud-native", Verdict: result.Fail, Edges: []upgrade.Outcome{
		{
			From: "1", To: "2", Verdict: result.Fail, Reasons: []string{"too long", "and lost"},
			Confirmed: &upgrade.Confirmation{Seconds: 7, Clients: []outage.Client{down}},
		},
		{From: "2", To: "3", Verdict: result.Pass, Confirmed: &upgrade.Confirmation{
			Clients: []outage.Client{{Name: "a kept connection", Watched: 5}},
		}},
		{From: "3", To: "4", Verdict: result.Pass, Skipped: "needs | two nodes"},
		{From: "4", To: "5", Verdict: result.Inconclusive, Reasons: []string{"the machine"}},
	}}
	dir := t.TempDir()
	require.NoError(t, WriteUpgrade(dir, r))
	text := read(t, dir, "upgrade.md")
	require.Contains(t, text, "1 → 2\n  a kept connection      ▁██▁▁  down 2.0 of 5 s, fetches failed: 41\n```")
	require.NotContains(t, text, "2 → 3\n", "a change without an outage has no line")

	var suites junit.Testsuites
	require.NoError(t, xml.Unmarshal([]byte(read(t, dir, "junit.xml")), &suites))
	require.Equal(t, [3]int{4, 1, 2}, [3]int{suites.Tests, suites.Failures, suites.Skipped})
	cases := suites.Suites[0].Testcases
	require.Equal(t, "1 → 2 [cloud-native]", cases[0].Name)
	require.Equal(t, "7.000", cases[0].Time)
	require.Equal(t, [2]string{"too long", "too long\nand lost"}, [2]string{
		cases[0].Failure.Message,
		cases[0].Failure.Data,
	})
	require.Nil(t, cases[1].Failure)
	require.Nil(t, cases[1].Skipped)
	require.Equal(t, "predicted only: needs | two nodes", cases[2].Skipped.Message)
	require.Equal(t, "INCONCLUSIVE: the machine", cases[3].Skipped.Message)
}
