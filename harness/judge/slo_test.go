package judge_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
)

func TestParseSLORefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ old, with, wantErr string }{
		"typo":            {"metric: fetch_p50_ms", "metrik: fetch_p50_ms", `unknown field`},
		"version":         {"steamer/v1", "steamer/v2", `apiVersion "steamer/v2"`},
		"kind":            {"kind: SLO", "kind: Profile", `kind "Profile"`},
		"metric":          {"fetch_p50_ms", "fetch_p42_ms", `metric "fetch_p42_ms"`},
		"metric twice":    {"fetch_p50_ms", "fetch_p90_ms", `metric "fetch_p90_ms"`},
		"negative":        {"limit: 7", "limit: -7", "limit -7"},
		"not a number":    {"limit: 7", "limit: .nan", "is not a finite number"},
		"wrong direction": {`"<=", limit: 7`, `">=", limit: 7`, `op ">=": want "<="`},
		"no direction":    {`op: "<=", limit: 7`, "limit: 7", `op "": want "<="`},
		"ratio direction": {`">="`, `"<="`, `achieved_ratio: op "<=": want ">="`},
		"tolerates wrong": {"wrong_values, op: \"<=\", limit: 0", "wrong_values, op: \"<=\", limit: 1", "never tolerable"},
		"no limit":        {"limit: 7, ", "", `entries[0]: metric "fetch_p50_ms": limit is required`},
		"null limit":      {"limit: 7,", "limit: null,", `entries[0]: metric "fetch_p50_ms": limit is required`},
		"no ratio":        {"limit: 0.99, ", "", `entries[0]: metric "achieved_ratio": limit is required`},
		"no zero": {
			"wrong_values, op: \"<=\", limit: 0", "wrong_values, op: \"<=\"",
			`entries[0]: metric "wrong_values": limit is required`,
		},
		"ratio of zero": {
			"limit: 0.99", "limit: 0",
			"entries[0]: achieved_ratio: limit 0: want a ratio above 0, at most 1",
		},
		"ratio above one": {
			"limit: 0.99", "limit: 99",
			"entries[0]: achieved_ratio: limit 99: want a ratio above 0, at most 1",
		},
		"no source":        {"limit: 7, source: GitLab documentation", "limit: 7", "source is required"},
		"negative latency": {"environmentLatency: 10", "environmentLatency: -1", "environmentLatency -1"},
		"huge latency":     {"environmentLatency: 10", "environmentLatency: 5000", "want 0 to 1000 ms"},
		"bad bao range":    {">=2.4.0", "two", `openbao: version range "two"`},
		"bad chart range":  {"    tier:", "    chart: '>>1'\n    tier:", `chart: version range ">>1"`},
		"tier is text":     {"tier: [3, 150]", "tier: [small]", "want a number, not a text"},
		"tier of zero":     {"tier: [3, 150]", "tier: [0]", "tier 0: want"},
		"topology":         {"topology: any", "topology: cloud-natve", `topology "cloud-natve": want one of`},
		"entry's latency":  {"    tier:", "    environmentLatency: 5000\n    tier:", "environmentLatency 5000"},
		"sizing":           {"entries:", "sizing: [{tier: 3, cpuRequest: 500m, memory: 2G, pods: 2}]\nentries:", "sizing[0]"},
		"reference":        {"entries:", "reference: [{metric: a, normal: b}]\nentries:", "reference[0]"},
		"no entries":       {sloFile[strings.Index(sloFile, "entries:"):], "entries: []\n", "no entries"},
		"no limits":        {sloFile[strings.Index(sloFile, "    limits:"):], "    limits: []\n", "no limits"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(sloFile, tc.old, tc.with, 1)
			require.NotEqual(t, sloFile, text)
			_, err := judge.ParseSLO("my-slo.yaml", []byte(text))
			require.ErrorContains(t, err, tc.wantErr)
			require.ErrorContains(t, err, "my-slo.yaml")
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
		})
	}
	zero := slos(t, strings.Replace(sloFile, "limit: 0.08", "limit: 0", 1))
	require.Zero(t, zero.Entries[0].Limits[2].Limit, "a limit of 0 that is written down is one")
	_, err := judge.ReadSLO(filepath.Join(t.TempDir(), "none.yaml"))
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
}

// TestEntriesMatch looks at which limit holds.
func TestEntriesMatch(t *testing.T) {
	t.Parallel()
	file := "apiVersion: steamer/v1\nkind: SLO\nname: t\nenvironmentLatency: 0\nentries:\n"
	for i, cond := range []string{
		`chart: ">=1.0.0"`, `openbao: "~2.5"`, `topology: cloud-native-hybrid`, `tier: [3, 6]`,
		`mode: login-read`, `topology: any`, `topology: any`,
	} {
		file += fmt.Sprintf("- {%s, limits: [{metric: fetch_p50_ms, op: \"<=\", limit: %d, source: s}]}\n", cond, i+1)
	}
	for name, tc := range map[string]struct {
		change func(*result.Result)
		want   string
	}{
		"no condition":      {func(*result.Result) {}, "<= 6 ms"},
		"chart":             {func(r *result.Result) { r.Topologies[0].Chart.Version = "1.2.0" }, "<= 1 ms"},
		"release candidate": {func(r *result.Result) { r.Topologies[0].Chart.Version = "1.0.0-rc.1" }, "<= 1 ms"},
		"unreadable chart":  {func(r *result.Result) { r.Topologies[0].Chart.Version = "main" }, "<= 6 ms"},
		"openbao":           {func(r *result.Result) { r.Topologies[0].Versions["openbao"] = "v2.5.1" }, "<= 2 ms"},
		"first match holds": {func(r *result.Result) {
			r.Topologies[0].Versions["openbao"] = "2.5.0"
			r.Topologies[0].Name = "cloud-native-hybrid"
		}, "<= 2 ms"},
		"topology": {func(r *result.Result) { r.Topologies[0].Name = "cloud-native-hybrid" }, "<= 3 ms"},
		"tier":     {func(r *result.Result) { r.Run.Tier = "6" }, "<= 4 ms"},
		"odd tier": {func(r *result.Result) { r.Run.Tier = "none" }, "<= 6 ms"},
		"mode":     {func(r *result.Result) { r.Topologies[0].Load.Mode = "login-read" }, "<= 5 ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := good()
			tc.change(r)
			judge.Judge(r, judge.Policy{SLO: slos(t, file), Validity: judge.DefaultValidity()})
			var limits []string
			for _, c := range r.Topologies[0].Checks {
				if c.ID == "slo/fetch-p50-ms" {
					limits = append(limits, c.Limit)
				}
			}
			require.Equal(t, []string{tc.want}, limits)
		})
	}
}

// TestMetrics reads every metric there is from one topology.
func TestMetrics(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"fetch_mean_ms": "3.81 ms", "fetch_p50_ms": "3 ms", "fetch_p90_ms": "6 ms", "fetch_p95_ms": "6 ms",
		"fetch_p99_ms": "8 ms", "fetch_p999_ms": "8 ms",
		"fetch_actual_mean_ms": "3.81 ms", "fetch_actual_p50_ms": "3 ms", "fetch_actual_p90_ms": "6 ms",
		"fetch_actual_p95_ms": "6 ms",
		"fetch_actual_p99_ms": "8 ms", "fetch_actual_p999_ms": "8 ms",
		"error_rate": "0.1 %", "attempt_error_rate": "2 %", "wrong_values": "0", "openbao_cpu_ms_per_fetch": "1 ms",
		"postgresql_cpu_ms_per_fetch": "unknown", "openbao_throttled_ratio": "1 %",
		"openbao_cpu_of_request": "40 %", "openbao_memory_mib": "300 MiB", "openbao_memory_of_limit": "30 %",
	}
	text := "apiVersion: steamer/v1\nkind: SLO\nname: t\nenvironmentLatency: 0\nentries:\n- limits:\n"
	for _, m := range judge.Metrics() {
		op, limit := "<=", 1000
		switch m {
		case "achieved_ratio":
			op, limit = ">=", 1
		case "wrong_values":
			limit = 0
		}
		text += fmt.Sprintf("  - {metric: %s, op: %q, limit: %d, source: s}\n", m, op, limit)
	}
	r := good()
	l := r.Topologies[0].Load
	l.Failed = 20
	l.Attempts = &result.Attempts{Count: 400, Failed: 8}
	r.Topologies[0].Resources[0].CPURequest, r.Topologies[0].Resources[0].MemoryLimit = 0.5, 1000
	judge.Judge(r, judge.Policy{SLO: slos(t, text), Validity: judge.DefaultValidity()})
	got := map[string]string{}
	for _, c := range r.Topologies[0].Checks {
		for _, m := range judge.Metrics() {
			if c.ID == "slo/"+strings.ReplaceAll(m, "_", "-") {
				got[m] = c.Measured
			}
		}
	}
	require.Equal(t, want, got)
	require.Equal(t, result.Inconclusive, r.Verdict, "PostgreSQL was not observed")
	require.Contains(t, strings.Join(r.Reasons, "; "), "too few CPU samples of PostgreSQL")
}

// TestShippedFile reads the file that runs are judged by.
func TestShippedFile(tt *testing.T) {
	tt.Parallel()
	s, err := judge.ReadSLO("../../perf/slo.yaml")
	require.NoError(tt, err)
	for _, tier := range load.Tiers() {
		r := good()
		r.Run.Tier = tier.Name
		t := &r.Topologies[0]
		rate := int(tier.Rate)
		long := func(of func(second, k int) fetch) {
			t.Load = drive(60, 600, rate, of, s.Thresholds(judge.Subject{Topology: t.Name, Mode: "inline", Tier: tier.Name},
				0)...)
			t.Resources[0].Samples = nil
			for i := range 661 {
				t.Resources[0].Samples = append(t.Resources[0].Samples,
					result.ResourceSample{At: t.Load.Start.Add(time.Duration(i) * time.Second), CPUCores: 0.01})
			}
		}
		long(ordinary)
		judge.Judge(r, judge.Policy{SLO: s, Validity: judge.DefaultValidity(), WholeEntry: true})
		require.Equal(tt, result.Pass, r.Verdict, "tier %s: %q", tier.Name, r.Reasons)
		long(func(int, int) fetch { return fetch{ms: 10_000} })
		judge.Judge(r, judge.Policy{SLO: s, Validity: judge.DefaultValidity()})
		require.Equal(tt, result.Fail, r.Verdict, "tier %s: %q", tier.Name, r.Reasons)
	}
}
