package report

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/result"
)

// driven is a comparison in which much went wrong; its strings try to break out of the page.
func driven() *compare.Comparison {
	unsteady := compare.Slice{Invalid: []string{"steady missed <script>"}}
	return &compare.Comparison{
		Pairs:    []compare.Pair{{}, {B: unsteady}, {A: compare.Slice{Overload: "81 % of the offered rate"}}, {B: unsteady}, {}},
		Interims: []compare.Interim{{Pairs: 5, Valid: 2, Level: 0.05, Verdict: result.Inconclusive}},
		Outcomes: []compare.Outcome{
			{
				Name: "failed_fetches", Title: "failed fetches", OnlyA: 1, OnlyB: 3, Both: 4, Pairs: 5, PHolm: 0.3125,
				Verdict: result.Pass, Reason: "more with B, which may be chance",
			},
			{Name: "overload", Title: "offered load not carried", OnlyA: 1, Pairs: 5, PHolm: 1, Verdict: result.Pass},
		},
		Functional: []compare.Functional{
			{ID: "access/own-secret", Title: "A job reads its own secret", A: result.Passed, B: result.Passed},
			{
				ID: "access/other", Title: "Another's is refused", A: result.Passed, B: result.Failed, Reason: "got 200 <script>",
				Twice: true,
			},
			{ID: "access/policy", Title: "Policies hold", A: result.Skipped, B: result.Skipped, Reason: "not here"},
		},
		NotMeasured: []string{"throttling <script>"},
	}
}

// TestComparisonPageShowsWhatStandsBehindIt: what was discarded, failed, differs or was not
// measured is on the page, not the ratios alone.
func TestComparisonPageShowsWhatStandsBehindIt(t *testing.T) {
	t.Parallel()
	quiet := &compare.Comparison{Pairs: []compare.Pair{{}}}
	for name, c := range map[string]struct {
		whole        *compare.Comparison
		want, absent []string
	}{
		"much": {driven(), []string{
			"5 pairs driven, 2 valid and 3 discarded.",
			"Judged at interim analysis 1, each bound at a one-sided level of 0.0500.",
			"2 × B: steady missed &lt;script&gt;", "1 × A: 81 % of the offered rate",
			`failed fetches<p class="reason">more with B, which may be chance</p></th><td>1</td><td>3</td><td>4</td><td>5</td><td>0.3125</td>`,
			`offered load not carried</th><td>1</td><td>0</td><td>0</td><td>5</td><td>1.0000</td>`,
			"3 scenarios: 1 passed, 0 failed and 1 were skipped with both; 1 differ.", "<code>access/other</code>",
			"run twice on both", "got 200 &lt;script&gt;",
			"<li>throttling &lt;script&gt;</li>",
		}, []string{"access/own-secret", "<script", "No gaps were recorded"}},
		"little": {quiet, []string{
			"1 pair driven, 1 valid and 0 discarded.", "No scenario was run on both.", "No gaps were recorded.",
		}, []string{"Discarded pairs", "What went wrong"}},
		"unknown": {nil, []string{"Ratios"}, []string{"What stands behind it"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			require.NoError(t, comparisonHTML(&b, &decided().Compared[0], c.whole))
			for _, want := range c.want {
				require.Contains(t, b.String(), want)
			}
			for _, absent := range c.absent {
				require.NotContains(t, b.String(), absent)
			}
		})
	}
}
