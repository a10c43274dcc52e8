package gate_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/result"
)

// TestDecideOnComparisons is TestDecide with a comparison beside the rest.
func TestDecideOnComparisons(t *testing.T) {
	t.Parallel()
	head := released(t)
	for name, tc := range map[string]decideCase{
		"comparison passed": {
			more: []string{compared(t, 0.95, 0.02, head, nil)}, require: []string{gate.Comparison},
			want: result.Pass,
		},
		"comparison failed": {
			more: []string{compared(t, 1.3, 0.02, head, nil)}, want: result.Fail,
			reason: "above the margin of 10 %",
		},
		"comparison is unsure": {
			more: []string{compared(t, 1.1, 0.02, head, nil)}, want: result.Inconclusive,
			reason: "reaches across the margin",
		},
		"comparison, required": {
			more: []string{compared(t, 1.1, 0.02, head, nil)}, require: []string{gate.Comparison}, want: result.Inconclusive,
			reason: "reaches across the margin",
		},
		"comparison reached no end": {
			more: []string{compared(t, 0.95, 0.02, head, cutShort)},
			want: result.Inconclusive, reason: "did not reach its end",
		},
		"one of two comparisons is unsure": {
			more: []string{compared(t, 0.95, 0.02, head, nil), compared(t, 1.1, 0.02, head,
				nil)}, want: result.Inconclusive, reason: "reaches across the margin",
		},
		"a fetch of the head failed": {
			more: []string{compared(t, 0.95, 0.02, head, func(c *compare.Comparison) { c.Pairs[4].B.Failed = 1 })},
			want: result.Inconclusive, reason: "failed fetches: 1 with B and 0 with A",
		},
		"the head failed in a third": {
			more: []string{compared(t, 0.95, 0.02, head, func(c *compare.Comparison) {
				for i := range 4 {
					c.Pairs[3*i].B.Failed = c.Pairs[3*i].B.Fetches
				}
			})},
			want: result.Inconclusive, reason: "failed fetches: 1200 with B and 0 with A; more with B in 4 of 12 pairs",
		},
		"both failed": {
			more: []string{compared(t, 0.95, 0.02, head, func(c *compare.Comparison) {
				for i := range c.Pairs {
					c.Pairs[i].A.Failed, c.Pairs[i].B.Failed = 3, 3
				}
			})},
			want: result.Inconclusive, reason: "cannot be the base",
		},
		"p95 ten times as long": {
			more: []string{compared(t, 0.95, 0.02, head, func(c *compare.Comparison) {
				for i := range c.Pairs {
					c.Pairs[i].B.Values["fetch_p95_ms"] *= 10
				}
			})},
			want: result.Fail, reason: "p95",
		},
		"the same in quarantine": {
			more: []string{compared(t, 0.95, 0.02, head, func(c *compare.Comparison) {
				for i := range c.Pairs {
					c.Pairs[i].B.Values["fetch_p95_ms"] *= 10
				}
			}), quarantine(t, time.Now().Add(time.Hour))},
			want: result.Fail, reason: "p95",
		},
		"p95 does not decide": {
			more: []string{compared(t, 0.95, 0.02, head,
				func(c *compare.Comparison) { c.Design.GateMetrics = gates(0.1, decisive()[:1]...) })},
			want: result.Inconclusive, reason: "openbao_cpu_ms_per_fetch did not decide in the comparison",
		},
		"comparison states a PASS that its pairs do not give": {
			more: []string{compared(t, 1.3, 0.02, head, states(result.Pass))}, want: result.Fail,
			reason: "above the margin of 10 %",
		},
		"comparison states a FAIL that its pairs do not give": {
			more: []string{compared(t, 0.95, 0.02, head, states(result.Fail))}, require: []string{gate.Comparison},
			want:   result.Inconclusive,
			reason: "its file says FAIL, which does not follow from its pairs by the rules of this release: they say PASS",
		},
		"comparison too noisy": {
			more: []string{compared(t, 1.04, 0.4, head, nil)}, require: []string{gate.Comparison}, want: result.Inconclusive,
			reason: "p95",
		},
		"the same with its noisy metric in quarantine": {
			more:    []string{compared(t, 1.04, 0.4, head, nil), quarantine(t, time.Now().Add(time.Hour))},
			require: []string{gate.Comparison}, want: result.Pass,
		},
		"the same when the quarantine has ended": {
			more:    []string{compared(t, 1.04, 0.4, head, nil), quarantine(t, time.Now().Add(-time.Hour))},
			require: []string{gate.Comparison}, want: result.Inconclusive, reason: "p95",
		},
		"no comparison, though": {
			require: []string{gate.Comparison}, want: result.Inconclusive,
			reason: "no comparison was given",
		},
	} {
		t.Run(name, tc.decide)
	}
}

// TestQuarantineIsTold: a metric that does not decide is named with reason and expiry.
func TestQuarantineIsTold(t *testing.T) {
	t.Parallel()
	file := compared(t, 1.04, 0.4, "sha256:b", nil)
	evidence, err := gate.Read(file, quarantine(t, time.Now().Add(time.Hour)))
	require.NoError(t, err)
	require.Contains(t, evidence.Files[1].About, "fetch_p95_ms until")
	d, err := gate.Decide(evidence, policy(t))
	require.NoError(t, err)
	require.Contains(t, strings.Join(d.NotJudged, "\n"),
		"fetch_p95_ms quarantined: 12 pairs could not have shown less than 30 % (until ")
	require.Equal(t, result.Pass, d.Compared[0].Verdict)
	i := slices.IndexFunc(d.Criteria, func(c gate.Criterion) bool { return c.ID == gate.Comparison })
	require.Contains(t, d.Criteria[i].Measured, "its file says INCONCLUSIVE, judged without the quarantine")
	alone, err := gate.Read(file)
	require.NoError(t, err)
	d, err = gate.Decide(alone, policy(t))
	require.NoError(t, err)
	require.Equal(t, result.Inconclusive, d.Compared[0].Verdict)
}

func TestComparisonKeepsValidSlices(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(compared(t, 1, 0.02, "sha256:b", func(c *compare.Comparison) {
		c.Pairs = c.Pairs[:3]
		c.Pairs[1].B.Invalid = []string{"dropped"}
		delete(c.Pairs[2].B.Values, "fetch_p95_ms")
	}))
	require.NoError(t, err)
	require.True(t, gate.IsComparison(raw))
	c, whole, err := gate.ReadComparison("x", raw)
	require.NoError(t, err)
	require.Equal(t, "openbao 0.1.0", c.Base)
	require.Equal(t, "openbao 0.2.0", c.Head)
	require.Len(t, c.Slices["fetch_p95_ms"][0], 1)
	require.Len(t, c.Slices["fetch_p50_ms"][1], 2)
	require.Equal(t, result.Inconclusive, c.Verdict, "three pairs say nothing, whatever the file says")
	require.Equal(t, c.Verdict, whole.Verdict)
	require.False(t, gate.IsComparison([]byte(`{"kind": "Result"}`)))
	_, _, err = gate.ReadComparison("x", raw[:50])
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
}
