package judge_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
)

const outageFile = `apiVersion: steamer/v1
kind: SLO
name: t
entries: [{limits: [{metric: fetch_mean_ms, op: "<=", limit: 1, source: s}]}]
outages:
  - {change: config, strategy: Recreate, longest: 5, sum: 6, failed: 30, perNamespace: 11, source: s}
  - {change: config, longest: 2, sum: 3, failed: 10, source: s}
  - {change: upgrade, openbao: ">=2.5.0", longest: 1, sum: 1, failed: 1, source: s}
  - {change: upgrade, longest: 9, sum: 9, failed: 9, source: s}
`

func TestParseOutagesRefuses(t *testing.T) {
	t.Parallel()
	_, err := judge.ParseSLO("my-slo.yaml", []byte(outageFile))
	require.NoError(t, err)
	for name, tc := range map[string]struct{ old, with, wantErr string }{
		"typo":         {"longest: 5", "longst: 5", "unknown field"},
		"change":       {"change: config", "change: confg", `outages[0]: change "confg": want one of`},
		"strategy":     {"Recreate", "Rolling", `strategy "Rolling": want one of`},
		"no number":    {"sum: 6, ", "", "outages[0]: longest, sum and failed are required"},
		"no source":    {"perNamespace: 11, source: s", "perNamespace: 11", "source is required"},
		"negative":     {"longest: 5", "longest: -5", "longest -5: want 0 to 3600"},
		"percent":      {"failed: 30", "failed: 130", "failed 130: want 0 to 100"},
		"sum too low":  {"sum: 6", "sum: 4", "sum 4: want longest (5) or more"},
		"range":        {`">=2.5.0"`, `"two"`, `openbao: version range "two"`},
		"not a number": {"failed: 30", "failed: .nan", "finite number"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(outageFile, tc.old, tc.with, 1)
			require.NotEqual(t, outageFile, text)
			_, err := judge.ParseSLO("my-slo.yaml", []byte(text))
			require.ErrorContains(t, err, tc.wantErr)
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
		})
	}
}

func TestOutageFor(t *testing.T) {
	t.Parallel()
	slo, err := judge.ParseSLO("my-slo.yaml", []byte(outageFile))
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		change, strategy, openbao string
		want                      float64 // the longest gap; 0 is none
	}{
		"strategy":         {judge.OutageConfig, "Recreate", "2.4.0", 5},
		"any strategy":     {judge.OutageConfig, "RollingUpdate", "2.4.0", 2},
		"unknown strategy": {judge.OutageConfig, "", "2.4.0", 2},
		"version":          {judge.OutageUpgrade, "Recreate", "v2.5.1", 1},
		"older":            {judge.OutageUpgrade, "Recreate", "2.4.0", 9},
		"no budget":        {judge.OutageCrash, "", "2.4.0", 0},
	} {
		budget, ok := judge.OutageFor(slo.Outages, tc.change, tc.strategy, "1.0.0", tc.openbao)
		require.Equal(t, tc.want > 0, ok, name)
		require.Equal(t, tc.want, budget.Longest, name)
	}
	loaded := slo.Outages[0].With(1000)
	require.InDeltaSlice(t, []float64{16, 17, 30 + 100*11.0/60}, []float64{loaded.Longest, loaded.Sum, loaded.Failed},
		1e-9)
	require.Nil(t, loaded.Misses(16, 17, 40), "the limit itself passes")
	require.Equal(t, []string{"the sum of the gaps is 17.1 s, at most 17.0 s"}, loaded.Misses(16, 17.1, 40))
}

// TestOutageGaps: a section that forgets a change is reported, and one that is not there is not.
func TestOutageGaps(t *testing.T) {
	t.Parallel()
	slo, err := judge.ParseSLO("my-slo.yaml", []byte(outageFile))
	require.NoError(t, err)
	gaps := strings.Join(slo.Gaps(nil), "\n")
	require.Contains(t, gaps, "no outage budget for change crash with Recreate, RollingUpdate, OnDelete")
	require.NotContains(t, gaps, "change config")
	require.NotContains(t, gaps, "change upgrade")
	slo.Outages = append(slo.Outages, slo.Outages[1])
	require.Contains(t, strings.Join(slo.Gaps(nil), "\n"), "outages[4] never applies: outages[1]")
	slo.Outages = nil
	require.NotContains(t, strings.Join(slo.Gaps(nil), "\n"), "outage")

	shipped, err := judge.ReadSLO("../../perf/slo.yaml")
	require.NoError(t, err)
	require.Empty(t, shipped.Gaps(nil))
	require.Len(t, shipped.Outages, len(judge.OutageChanges())+1, "one each, and one more for config")
}
