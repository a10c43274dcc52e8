package load_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load"
	"k8s.io/apimachinery/pkg/api/resource"
)

const smoke = `apiVersion: steamer/v1
kind: Profile
name: smoke
description: A minute at the tier's rate.
workload: fetch
mode: inline
warmup: 15s
duration: 60s
rate: {tier: true}
connections: {reuse: false}
vus: {initial: 20, max: 200}
`

func TestParseProfile(t *testing.T) {
	t.Parallel()
	p, err := load.ParseProfile("smoke.yaml", []byte(smoke))
	require.NoError(t, err)
	require.Equal(t, time.Minute, time.Duration(p.Duration))
	tier, err := load.TierNamed("12")
	require.NoError(t, err)
	require.InDelta(t, 12, p.PerSecond(tier), 0)

	for name, tc := range map[string]struct{ old, with, wantErr string }{
		"typo":            {"workload:", "worklaod:", `unknown field "worklaod"`},
		"version":         {"steamer/v1", "steamer/v9", `apiVersion "steamer/v9"`},
		"kind":            {"kind: Profile", "kind: SLO", `kind "SLO"`},
		"name":            {"name: smoke", "name: Smoke Test", `name "Smoke Test"`},
		"path in script":  {"workload: fetch", "workload: ../fetch", `workload "../fetch"`},
		"mode":            {"mode: inline", "mode: fast", `mode "fast": want one of ["inline"`},
		"no unit":         {"duration: 60s", "duration: 60", "needs a unit"},
		"too short":       {"duration: 60s", "duration: 10ms", "duration 10ms: want 1s to"},
		"too long":        {"warmup: 15s", "warmup: 2h", "warmup 2h0m0s: want 0s to 1h"},
		"negative":        {"warmup: 15s", "warmup: -1s", "warmup -1s"},
		"no rate":         {"{tier: true}", "{}", "want tier: true, or perSecond"},
		"two rates":       {"{tier: true}", "{tier: true, perSecond: 3}", "exclude each other"},
		"negative rate":   {"{tier: true}", "{perSecond: -3}", "want tier: true, or perSecond"},
		"monstrous rate":  {"{tier: true}", "{perSecond: 1000000}", "at most 100000"},
		"no VUs":          {"initial: 20", "initial: 0", "initial 0"},
		"VUs upside down": {"max: 200", "max: 2", "initial 20, max 2"},
		"empty":           {smoke, "", "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load.ParseProfile("some.yaml", []byte(strings.Replace(smoke, tc.old, tc.with, 1)))
			require.ErrorContains(t, err, tc.wantErr)
			require.ErrorContains(t, err, "some.yaml")
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
		})
	}
	_, err = load.ReadProfile(filepath.Join(t.TempDir(), "none.yaml"))
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
}

func TestTiersFollowGitLabsRules(t *testing.T) {
	t.Parallel()
	last := 0.0
	for _, tier := range load.Tiers() {
		req, limit, mem := resource.MustParse(tier.CPURequest), resource.MustParse(tier.CPULimit), resource.MustParse(tier.Memory)
		require.Equal(t, 2*req.MilliValue(), limit.MilliValue(), "the limit is twice the request")
		require.GreaterOrEqual(t, mem.Value(), int64(2e9), "2 GB at least")
		require.Greater(t, tier.Rate, last, "smallest first")
		last = tier.Rate
	}
	_, err := load.TierNamed("13")
	require.ErrorContains(t, err, "use one of 3, 6, 12, 30, 60, 150")
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
}

// TestShippedProfiles reads the profiles that runs use.
func TestShippedProfiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../perf/profiles/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		p, err := load.ReadProfile(f)
		require.NoError(t, err)
		require.Equal(t, strings.TrimSuffix(filepath.Base(f), ".yaml"), p.Name)
		require.FileExists(t, filepath.Join("../../perf/scripts", p.Workload+".js"))
	}
}
