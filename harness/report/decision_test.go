package report

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/result"
)

// decided is a decision with a missed, an open and a met criterion; its strings try to break out
// of every format.
func decided() *gate.Decision {
	r := syntheticFailed()
	t := r.Topologies[0]
	return &gate.Decision{
		APIVersion: gate.APIVersion, Kind: gate.Kind, Made: syntheticStart(), Steamer: "0.1.0 (synthetic test data)",
		Reproduce: "steamer gate --from x",
		Verdict:   result.Fail, Reasons: []string{"objectives: p99 <script>alert(1)</script> | @all", "b", "c", "d"},
		Chart: t.Chart, Tier: "30", SLO: "secret-fetch",
		Criteria: []gate.Criterion{
			{ID: gate.Charts, Title: "static checks", Required: true, Verdict: result.Pass, Measured: "clean"},
			{ID: gate.Load, Title: "objectives", Required: true, Verdict: result.Fail, Reasons: []string{"p99 <= 10 ms"}},
			{
				ID: gate.Hygiene, Title: "hygiene", Required: true, Verdict: result.Inconclusive,
				Reasons: []string{"no scan\x01]]>"},
			},
			{
				ID: gate.Comparison, Title: "comparison", Verdict: result.Inconclusive,
				Reasons: []string{"no comparison was given"},
			},
		},
		Runs: []gate.Judged{{
			Run: r.Run.ID, Path: "result.json", Topology: t.Name, Tier: "30", Profile: "steady", Recorded: result.Pass,
			Derived: result.Fail, Reasons: t.Reasons,
			Passed: 6, Failed: 1, Failures: t.Scenarios[1:2], Checks: t.Checks, Counts: true,
		}},
		Compared: []gate.Compared{{
			Base: "openbao 0.1.0", Head: "openbao 0.2.0", Where: "cloud-native", Verdict: result.Fail, Metrics: []gate.Ratio{
				{
					Title: "p95", Unit: "ms", Gate: true, Margin: 0.1, Base: 8, Head: 9.7, Ratio: 1.21, Lo: ptr(1.15), Hi: ptr(1.28),
					MDE: ptr(0.04), Verdict: result.Fail, Reason: "above the margin",
				},
				{
					Title: "CPU", Unit: "ms", Gate: true, Margin: 0.1, Base: 6, Head: 5, Ratio: 0.83, Lo: ptr(0.8), Hi: ptr(0.86),
					MDE: ptr(0.02), Verdict: result.Pass,
				},
				{Title: "p99", Base: 20, Head: 21, Ratio: 1.05, Verdict: result.Inconclusive},
			},
		}},
		Evidence:   []gate.File{{Path: "result.json", Kind: "Result", SHA256: "abc", About: "run"}},
		Objectives: &gate.File{Path: "perf/slo.yaml", Kind: "SLO", SHA256: "def", About: "secret-fetch"},
		Since:      []string{"the decision before was PASS <script>"},
	}
}

func ptr(v float64) *float64 { return &v }

func TestDecisionReports(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, WriteDecision(dir, decided()))
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return string(b)
	}
	html, md := read("gate.html"), read("gate.md")
	for _, page := range []string{html, md} {
		require.NotContains(t, page, "<script")
		require.Contains(t, page, "had recorded PASS")
		require.Contains(t, page, "≤ 10 ms", "typeset")
		require.Contains(t, page, "not judged")
		require.Contains(t, page, "perf/slo.yaml")
		require.Contains(t, page, "Since the earlier decision")
		require.Contains(t, page, "the decision before was PASS")
	}
	require.Contains(t, md, "| p95 | 8 ms | 9.7 ms | 1.21 | 1.15 to 1.28 | 4 % | FAIL: above the margin |")
	require.Contains(t, md, "| p99 | 20 | 21 | 1.05 | too few pairs |  | INFO |")
	require.Equal(t, 3, strings.Count(html, `class="ratio"`))
	require.NotContains(t, md, "@all")
	require.True(t, strings.HasPrefix(md, "## Steamer gate: FAIL\n"))
	_, err := gate.Decode("gate.json", []byte(read("gate.json")))
	require.NoError(t, err)

	var doc junitFile
	require.NoError(t, xml.Unmarshal([]byte(read("gate.xml")), &doc))
	got := map[string]string{}
	for _, c := range doc.Suites[0].Cases {
		switch {
		case c.Failure != nil:
			got[c.Name] = "failed"
		case c.Skipped != nil:
			got[c.Name] = c.Skipped.Message
		default:
			got[c.Name] = "passed"
		}
	}
	require.Equal(t, "passed", got["gate/charts"])
	require.Equal(t, "failed", got["gate/load"])
	require.Contains(t, got["gate/hygiene"], "INCONCLUSIVE: no scan")
	require.Equal(t, "not judged: no comparison was given", got["gate/comparison"])
	require.Equal(t, "failed", got["gate/verdict"])
	require.Error(t, WriteDecision(filepath.Join(dir, "absent"), decided()))
}

func TestComparisonPage(t *testing.T) {
	t.Parallel()
	c := decided().Compared[0]
	c.Reasons, c.Reproduce = []string{"p95: 1.21 times <script>"}, "steamer compare --base a --head b"
	c.Metrics[0].Name = "p95"
	c.Slices = map[string][2][]float64{"p95": {{8, 7.9, 8.2}, {9.8, 9.6, 9.9}}}
	dir := t.TempDir()
	require.NoError(t, WriteComparisonPage(dir, &c, nil))
	b, err := os.ReadFile(filepath.Join(dir, "comparison.html"))
	require.NoError(t, err)
	page := string(b)
	require.NotContains(t, page, "<script")
	require.Contains(t, page, "openbao 0.1.0: 3 slices, median 8 ms. openbao 0.2.0: 3 slices, median 9.8 ms.")
	require.Equal(t, 3, strings.Count(page, `class="bao" x=`))
	require.Equal(t, 3, strings.Count(page, `class="ratio"`))
	c.Slices = nil
	var without bytes.Buffer
	require.NoError(t, comparisonHTML(&without, &c, nil))
	require.Contains(t, without.String(), "Too few slices")
	require.Error(t, WriteComparisonPage(filepath.Join(dir, "absent"), &c, nil))
}

func TestDecisionSummary(t *testing.T) {
	t.Parallel()
	var plain, colour bytes.Buffer
	require.NoError(t, DecisionSummary(&plain, decided(), false))
	require.NotContains(t, plain.String(), "\x1b")
	require.Regexp(t, `(?m)^  load \*  +FAIL`, plain.String())
	require.Regexp(t, `(?m)^  comparison  +not judged`, plain.String())
	require.NoError(t, DecisionSummary(&colour, decided(), true))
	require.Contains(t, colour.String(), "\x1b[1;31mFAIL\x1b[0m")
}
