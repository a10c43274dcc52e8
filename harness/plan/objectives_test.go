package plan_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
)

func resolved(t *testing.T, change func(*plan.Plan)) (*plan.Resolved, error) {
	t.Helper()
	p := plan.Default(root)
	change(&p)
	return p.Resolve(t.Context(), root, chart.Fetcher{})
}

// TestOutlook: the plan says before the run which objectives its load can decide, and a length of
// its own changes the answer.
func TestOutlook(t *testing.T) {
	t.Parallel()
	silent := filepath.Join(t.TempDir(), "silent.yaml")
	require.NoError(t, os.WriteFile(silent,
		[]byte(`{apiVersion: steamer/v1, kind: Profile, name: silent, workload: fetch, mode: inline, duration: 60s, rate: {tier: true}, connections: {reuse: false}}`), 0o600))
	for name, tc := range map[string]struct {
		change    func(*plan.Plan)
		want, not []string
		notJudged []string
	}{
		"smoke": {
			func(*plan.Plan) {},
			[]string{"fetch_p95_ms: not judged, as profile smoke says", "to hold it takes 10m0s", "fetch_mean_ms: decidable"},
			[]string{"NOT", "hybrid"},
			[]string{"fetch_p95_ms", "fetch_p99_ms"},
		},
		"two minutes of it": {
			func(p *plan.Plan) { p.Duration = document.Duration(2 * time.Minute) },
			[]string{"fetch_p95_ms: decidable (it takes 2m0s)"},
			nil,
			[]string{"fetch_p99_ms"},
		},
		"ten minutes of it": {
			func(p *plan.Plan) { p.Duration = document.Duration(10 * time.Minute) },
			[]string{"fetch_p99_ms: decidable"},
			[]string{"not judged"},
			nil,
		},
		"steady": {
			func(p *plan.Plan) { p.Profile = "steady" },
			[]string{"held with up to 0.22 % of the fetches above the limit"},
			[]string{"not judged"},
			nil,
		},
		"steady at tier 3": {
			func(p *plan.Plan) { p.Profile, p.Tier = "steady", "3" },
			[]string{"fetch_p99_ms: decidable"},
			[]string{"not judged"},
			nil,
		},
		"a profile that keeps it to itself": {
			func(p *plan.Plan) { p.Profile = silent }, []string{
				"fetch_p95_ms: NOT decidable: to hold it takes 2m0s",
				"INCONCLUSIVE at best",
			}, nil, nil,
		},
		"shown only": {
			func(p *plan.Plan) { p.Profile = "mixed" },
			[]string{"fetch_p99_ms: too short to hold it, which takes 10m0s (shown, not judged)"},
			[]string{"NOT"},
			nil,
		},
		"no load": {func(p *plan.Plan) { p.Load = false }, nil, []string{"fetch"}, nil},
		"one topology": {
			func(p *plan.Plan) { p.Topologies = p.Topologies[1:] },
			[]string{"cloud-native-hybrid: entries[2]"},
			nil,
			[]string{"fetch_p95_ms", "fetch_p99_ms"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := resolved(t, tc.change)
			require.NoError(t, err)
			text := strings.Join(r.Outlook(), "\n")
			for _, want := range tc.want {
				require.Contains(t, text, want)
			}
			for _, not := range tc.not {
				require.NotContains(t, text, not)
			}
			if r.Load {
				require.ElementsMatch(t, tc.notJudged, r.Profile.NotJudged)
			}
		})
	}
}

// TestLengthen: the gate makes a load as long as the objectives need, never shorter, and leaves
// stages alone.
func TestLengthen(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change   func(*plan.Plan)
		from, to time.Duration
	}{
		"smoke":    {func(*plan.Plan) {}, time.Minute, 10 * time.Minute},
		"steady":   {func(p *plan.Plan) { p.Profile = "steady" }, 0, 0},
		"soak":     {func(p *plan.Plan) { p.Profile = "soak" }, 0, 0},
		"stages":   {func(p *plan.Plan) { p.Profile = "spike" }, 0, 0},
		"no load":  {func(p *plan.Plan) { p.Load = false }, 0, 0},
		"informal": {func(p *plan.Plan) { p.Profile = "mixed" }, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := resolved(t, tc.change)
			require.NoError(t, err)
			from, to := r.Lengthen()
			require.Equal(t, []time.Duration{tc.from, tc.to}, []time.Duration{from, to})
			if to == 0 {
				return
			}
			require.Equal(t, to, time.Duration(r.Profile.Duration))
			require.Empty(t, r.Profile.NotJudged)
			text, err := r.Plan.YAML()
			require.NoError(t, err)
			require.Contains(t, text, "duration: 10m0s", "the plan that is printed is the one that is run")
			from, to = r.Lengthen()
			require.Zero(t, from+to, "once is enough")
		})
	}
}

func TestDurationRefuses(t *testing.T) {
	t.Parallel()
	unknown := filepath.Join(t.TempDir(), "unknown.yaml")
	require.NoError(t, os.WriteFile(unknown,
		[]byte(`{apiVersion: steamer/v1, kind: Profile, name: unknown, workload: fetch, mode: inline, duration: 60s, rate: {tier: true}, connections: {reuse: false}, notJudged: [fetch_p42_ms]}`), 0o600))
	for want, change := range map[string]func(*plan.Plan){
		"has stages":               func(p *plan.Plan) { p.Profile, p.Duration = "spike", document.Duration(time.Hour) },
		"out of range":             func(p *plan.Plan) { p.Duration = document.Duration(25 * time.Hour) },
		"--duration -1s":           func(p *plan.Plan) { p.Duration = document.Duration(-time.Second) },
		`no metric "fetch_p42_ms"`: func(p *plan.Plan) { p.Profile = unknown },
	} {
		_, err := resolved(t, change)
		require.ErrorContains(t, err, want)
		require.Equal(t, exit.Invalid, exit.CodeOf(err))
	}
}

// TestThresholds: the limits in force are counted, with the allowance for the environment and
// without.
func TestThresholds(t *testing.T) {
	t.Parallel()
	r, err := resolved(t, func(p *plan.Plan) { p.EnvironmentLatency = document.Duration(7500 * time.Microsecond) })
	require.NoError(t, err)
	var want []result.Threshold
	for _, limit := range []float64{250, 257.5, 500, 507.5} {
		want = append(want, result.Threshold{From: result.FromIntended, Limit: limit})
	}
	require.Equal(t, want, r.Thresholds("cloud-native"))
}
