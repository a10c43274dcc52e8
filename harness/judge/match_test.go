package judge_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
)

func TestFindSaysWhyNot(t *testing.T) {
	t.Parallel()
	s := slos(t, strings.Replace(sloFile, "topology: any", `topology: cloud-native-hybrid
    chart: "<1"
    mode: inline`, 1))
	u := judge.Subject{Chart: "0.12.3", OpenBao: "2.4.0", Topology: "cloud-native-hybrid", Mode: "inline", Tier: "3"}
	require.Zero(t, s.Find(u))
	for want, change := range map[string]func(*judge.Subject){
		`tier "12" is none of [3 150]`:         func(u *judge.Subject) { u.Tier = "12" },
		`topology "cloud-native" is not`:       func(u *judge.Subject) { u.Topology = "cloud-native" },
		`mode "login-read" is not "inline"`:    func(u *judge.Subject) { u.Mode = "login-read" },
		`chart version "1.0.0" is not in "<1"`: func(u *judge.Subject) { u.Chart = "1.0.0" },
		`OpenBao version "2.3.0" is not in`:    func(u *judge.Subject) { u.OpenBao = "2.3.0" },
		`OpenBao version "main" is not in`:     func(u *judge.Subject) { u.OpenBao = "main" },
		`OpenBao version "" is not in`:         func(u *judge.Subject) { u.OpenBao = "" },
		`tier "" is none of`:                   func(u *judge.Subject) { u.Tier = "" },
	} {
		v := u
		change(&v)
		require.Equal(t, -1, s.Find(v), want)
		require.Contains(t, s.Entries[0].Mismatch(v), want)
	}
	var none *judge.SLO
	require.Equal(t, -1, none.Find(u))
	require.Zero(t, none.EnvironmentLatencyOf(-1))
}

// TestEnvironmentLatency adds up the file's or the entry's allowance and the run's.
func TestEnvironmentLatency(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		entry string
		run   float64
		want  string
	}{
		"the file's":          {"", 0, "<= 17 ms (7 + 10 for the environment)"},
		"the entry's instead": {"    environmentLatency: 2\n", 0, "<= 9 ms (7 + 2 for the environment)"},
		"none":                {"    environmentLatency: 0\n", 0, "<= 7 ms"},
		"the run's beside it": {"", 2.5, "<= 19.5 ms (7 + 12.5 for the environment)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := slos(t, strings.Replace(sloFile, "    limits:\n", tc.entry+"    limits:\n", 1))
			r := good()
			r.Run.EnvironmentLatency = tc.run
			judge.Judge(r, judge.Policy{SLO: s, Validity: judge.DefaultValidity()})
			for _, c := range r.Topologies[0].Checks {
				if c.ID == "slo/fetch-p50-ms" {
					require.Equal(t, tc.want, c.Limit)
					return
				}
			}
			t.Fatal("there is no check of the median")
		})
	}
}

func TestGaps(t *testing.T) {
	t.Parallel()
	const limit = `limits: [{metric: fetch_mean_ms, op: "<=", limit: 1, source: s}]`
	head := "apiVersion: steamer/v1\nkind: SLO\nname: t\nenvironmentLatency: 0\nentries:\n"
	for name, tc := range map[string]struct {
		entries string
		want    []string
	}{
		"sound": {"- {tier: [3], " + limit + "}\n- {" + limit + "}\n", nil},
		"hidden by all": {
			"- {" + limit + "}\n- {tier: [3], " + limit + "}\n",
			[]string{"entries[1] never applies: entries[0]"},
		},
		"hidden by tiers": {"- {tier: [3, 6], topology: any, " + limit + "}\n- {tier: [6], mode: inline, " + limit +
			"}\n- {" + limit + "}\n", []string{"entries[1] never applies"}},
		"another topology": {"- {topology: cloud-native, " + limit + "}\n- {" + limit + "}\n", nil},
		"no tier left":     {"- {tier: [3], " + limit + "}\n", []string{"no entry for tier 6"}},
		"writes only": {
			"- {mode: rails, " + limit + "}\n- {tier: [3], " + limit + "}\n",
			[]string{"no entry for tier 6: "},
		},
		"inline is enough": {"- {mode: rails, " + limit + "}\n- {mode: inline, " + limit + "}\n", nil},
		"both that load": {
			"- {topology: cloud-native, " + limit + "}\n- {topology: cloud-native-hybrid, " + limit + "}\n",
			nil,
		},
		"one topology": {"- {topology: cloud-native, " + limit + "}\n- {topology: cloud-native-hybrid, tier: [3], " +
			limit + "}\n", []string{"no entry for tier 6 in cloud-native-hybrid: "}},
		"judges nothing": {"- limits: [{metric: error_rate, op: \"<=\", limit: 0, source: s}, {metric: fetch_p99_ms, op: " +
			"\"<=\", limit: 1, source: s, informational: true}]\n", []string{"no latency limit that is judged"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := slos(t, head+tc.entries).Gaps([]float64{3, 6})
			require.Len(t, got, len(tc.want), "%q", got)
			for i := range tc.want {
				require.Contains(t, got[i], tc.want[i])
			}
		})
	}
}

// TestShippedFileIsSound also compares the sizing table with the one that runs are sized by.
func TestShippedFileIsSound(t *testing.T) {
	t.Parallel()
	s, err := judge.ReadSLO("../../perf/slo.yaml")
	require.NoError(t, err)
	var rates []float64
	for i, tier := range load.Tiers() {
		rates = append(rates, tier.Rate)
		z := s.Sizing[i]
		require.Equal(t, []any{tier.Rate, tier.CPURequest, tier.Memory, tier.Replicas}, []any{
			z.Tier, z.CPURequest, z.Memory,
			z.Pods,
		})
	}
	require.Len(t, s.Sizing, len(rates))
	require.Empty(t, s.Gaps(rates))

	// Its first entries are for writes at any tier. They must not pass for entries of a tier's
	// fetches.
	require.Equal(t, "rails", s.Entries[0].Mode)
	s.Entries = slices.DeleteFunc(s.Entries, func(e judge.Entry) bool { return slices.Contains(e.Tier, 60) })
	require.Equal(t, []string{
		"no entry for tier 60: its runs end INCONCLUSIVE", "no entry for tier 150: its runs end INCONCLUSIVE",
	}, s.Gaps(rates))
}

// FuzzParseSLO must neither panic nor accept what it cannot judge with.
func FuzzParseSLO(f *testing.F) {
	shipped, err := os.ReadFile("../../perf/slo.yaml")
	require.NoError(f, err)
	f.Add(shipped)
	f.Add([]byte(sloFile))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := judge.ParseSLO("fuzz", data)
		if err != nil {
			return
		}
		s.Gaps([]float64{3})
		r := good()
		judge.Judge(r, judge.Policy{SLO: s, Validity: judge.DefaultValidity()})
		require.Contains(t, []result.Verdict{result.Pass, result.Fail, result.Inconclusive}, r.Verdict)
	})
}
