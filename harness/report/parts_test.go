package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
)

// TestStagedLoad: every report tells what was judged from what was not, requests from fetches, and
// has the parts.
func TestStagedLoad(t *testing.T) {
	t.Parallel()
	r := syntheticStaged()
	require.Equal(t, result.Pass, r.Verdict, "%q", r.Reasons)
	_, err := result.Encode(r)
	require.NoError(t, err)
	var html, md, metrics, summary bytes.Buffer
	require.NoError(t, runHTML(&html, r))
	require.NoError(t, runMarkdown(&md, r))
	require.NoError(t, openMetrics(&metrics, r))
	require.NoError(t, Summary(&summary, r, false))

	for _, want := range []string{
		"excursion to 75 fetches/s in the mean for 20 s, not judged but for wrong values",
		"| From | Lasted | Fetches/s offered | Judged |", "| 115 s | 20 s | 30 to 120 | wrong values only |",
		"The first arrivals that were not answered came 121 s after the start, at 57 fetches per second: 3 failed and 7 dropped",
		"| Requests that failed, before any repetition | 12 of 4,812 (0.25 %)",
		"12 fetches repeated a request, 12 of them succeeded",
		"| all of create |", "| write value |",
	} {
		require.Contains(t, md.String(), want)
	}
	require.Less(t, strings.Index(md.String(), "| connect |"), strings.Index(md.String(), "| login |"),
		"in the order in which they happen")
	for _, want := range []string{
		"<h4>Stages</h4>", "wrong values only", "Latency by part of a fetch",
		"between 30 and 120 fetches per second", "excursion begins", "excursion ends",
	} {
		require.Contains(t, html.String(), want)
	}
	for _, want := range []string{
		`steamer_requests_failed{topology="cloud-native"} 12.0`,
		`steamer_part_latency_milliseconds{topology="cloud-native",part="all_of_create",quantile="0.5"}`,
		`steamer_fetches{topology="cloud-native"} 4800.0`,
	} {
		require.Contains(t, metrics.String(), want)
	}
	require.Contains(t, summary.String(), "75/s in the mean for 20 s")

	md.Reset()
	old := syntheticRun(60, 12)
	for i := range old.Topologies {
		old.Topologies[i].Load.Attempts, old.Topologies[i].Load.Steps = nil, nil
	}
	require.NoError(t, runMarkdown(&md, old))
	for _, absent := range []string{"Excursion", "Fetches/s offered", "Latency by part", "before any repetition"} {
		require.NotContains(t, md.String(), absent, "an older result has none")
	}
}
