package load_test

import (
	"path/filepath"
	"regexp"
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

func TestVUs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		given load.VUs
		rate  float64
		want  load.VUs
	}{
		"few":     {load.VUs{}, 3, load.VUs{Initial: 20, Max: 200}},
		"by rate": {load.VUs{}, 150.5, load.VUs{Initial: 151, Max: 602}},
		"many":    {load.VUs{}, 12_800, load.VUs{Initial: 2000, Max: 10_000}},
		"given":   {load.VUs{Initial: 3, Max: 7}, 150, load.VUs{Initial: 3, Max: 7}},
	} {
		require.Equal(t, tc.want, tc.given.At(tc.rate), name)
	}
	p, err := load.ParseProfile("spike.yaml",
		[]byte(strings.Replace(strings.Replace(smoke, "vus: {initial: 20, max: 200}\n", "", 1),
			"duration: 60s", "stages: [{duration: 30s, times: 1}, {duration: 30s, times: 10}]", 1)))
	require.NoError(t, err)
	settings := load.Settings(load.Job{Profile: p, Rate: 12})
	require.Contains(t, settings, "STEAMER_VUS=120", "of the highest rate")
	require.Contains(t, settings, "STEAMER_MAX_VUS=480")
}

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
		"too long":        {"warmup: 15s", "warmup: 2h", "warmup 2h0m0s: want 0s, or 1s to 1h"},
		"below k6's":      {"warmup: 15s", "warmup: 999ms", "warmup 999ms: want 0s, or 1s"},
		"negative":        {"warmup: 15s", "warmup: -1s", "warmup -1s"},
		"no rate":         {"{tier: true}", "{}", "want tier: true, or perSecond"},
		"two rates":       {"{tier: true}", "{tier: true, perSecond: 3}", "exclude each other"},
		"negative rate":   {"{tier: true}", "{perSecond: -3}", "want tier: true, or perSecond"},
		"monstrous rate":  {"{tier: true}", "{perSecond: 1000000}", "at most 100000"},
		"no VUs":          {"initial: 20", "initial: 0", "initial 0"},
		"VUs upside down": {"max: 200", "max: 2", "initial 20, max 2"},
		"weights of one":  {"mode: inline", "mode: inline\nweights: {inline: 1}", "weights: want them with mode mixed"},
		"mixed of none":   {"mode: inline", "mode: mixed", "weights: want them with mode mixed"},
		"mixed of mixed":  {"mode: inline", "mode: mixed\nweights: {mixed: 1}", `weights: there is no "mixed"`},
		"all weights 0":   {"mode: inline", "mode: mixed\nweights: {inline: 0}", "weights: none is above 0"},
		"negative weight": {"mode: inline", "mode: rails\noperations: {create: -1}", "operations: create is -1"},
		"no operations":   {"mode: inline", "mode: inline\noperations: {create: 1}", "operations: only mode rails"},
		"jobs": {
			"mode: inline", "mode: inline\njobTokens: {perTenant: 101}",
			"jobTokens: perTenant 101: want 1 to 100",
		},
		"algorithm": {
			"mode: inline", "mode: inline\njobTokens: {algorithm: none}",
			`jobTokens: algorithm "none": want one of ["RS256" "ES256"]`,
		},
		"choice": {"mode: inline", "mode: inline\ntenants: {choice: random}", `choice "random"`},
		"no exponent": {
			"mode: inline", "mode: inline\ntenants: {choice: zipf}",
			"exponent 0: want above 0 to 10 with zipf",
		},
		"hot share": {
			"mode: inline", "mode: inline\ntenants: {choice: hot, hot: 3, share: 2}",
			"share 2: want above 0 to 1",
		},
		"unused hot set": {
			"mode: inline", "mode: inline\ntenants: {choice: cold, hot: 3}",
			"hot 3: want 1 or more with hot",
		},
		"stages too long": {
			"duration: 60s", "duration: 60s\nstages: [{duration: 30s, times: 1}]",
			"the sum of the stages, 30s",
		},
		"two ways": {
			"duration: 60s", "stages: [{duration: 30s, times: 1, perSecond: 3}]",
			"stages[0]: want either times or perSecond",
		},
		"no way":       {"duration: 60s", "stages: [{duration: 30s}]", "stages[0]: want either times or perSecond"},
		"backwards":    {"duration: 60s", "stages: [{duration: -30s, times: 1}]", "stages[0]: duration -30s: want 0s to"},
		"microseconds": {"duration: 60s", "stages: [{duration: 30s1us, times: 1}]", "whole milliseconds"},
		"to nothing":   {"duration: 60s", "stages: [{duration: 30s, times: -1}]", "stages[0]: times -1: want above 0"},
		"stage's rate": {"duration: 60s", "stages: [{duration: 30s, perSecond: 1e6}]", "stages[0]: perSecond 1e+06: want"},
		"nothing judged": {
			"duration: 60s", "stages: [{duration: 30s, times: 2, excursion: true}]",
			"at least 1s outside excursions",
		},
		"jump at the end": {
			"duration: 60s", "stages: [{duration: 30s, times: 1}, {duration: 0s, times: 2}]",
			"stages[1]: a jump with nothing after it",
		},
		"stage's typo": {"duration: 60s", "stages: [{duration: 30s, time: 1}]", `unknown field "stages[0].time"`},
		"empty":        {smoke, "", "empty"},
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
		req, limit, mem := resource.MustParse(tier.CPURequest), resource.MustParse(tier.CPULimit),
			resource.MustParse(tier.Memory)
		require.Equal(t, 2*req.MilliValue(), limit.MilliValue(), "the limit is twice the request")
		require.GreaterOrEqual(t, mem.Value(), int64(2e9), "2 GB at least")
		require.Greater(t, tier.Rate, last, "smallest first")
		last = tier.Rate
	}
	_, err := load.TierNamed("13")
	require.ErrorContains(t, err, "use one of 3, 6, 12, 30, 60, 150")
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
}

func TestSizing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		size     string
		adoption float64
		rate     float64
		tier     string
		wantErr  string
	}{
		"GitLab's own example": {"10k", 0.2, 12, "12", ""},
		"half of 10k":          {"10k", 0.5, 30, "30", ""},
		"just exceeds":         {"3k", 0.5, 9, "12", ""},
		"all of the table":     {"50k", 0.5, 150, "150", ""},
		"few":                  {"1k", 0.05, 0.3, "3", ""},
		"no binary dust":       {"25k", 0.2, 30, "30", ""},
		"beyond the table": {
			"50k", 0.51, 0, "",
			"153 fetches per second are beyond GitLab's sizing table, which ends at 150",
		},
		"unknown size": {"4k", 0.5, 0, "", "use one of 1k, 2k, 3k, 5k, 10k, 25k, 50k"},
		"percent":      {"10k", 50, 0, "", "above 0 to 1"},
		"nothing":      {"10k", 0, 0, "", "above 0 to 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rate, tier, err := load.Sizing(tc.size, tc.adoption)
			if tc.wantErr != "" {
				require.ErrorContains(t, err, tc.wantErr)
				require.Equal(t, exit.Invalid, exit.CodeOf(err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.rate, rate, "exact on purpose")
			require.Equal(t, tc.tier, tier.Name)
		})
	}
}

// FuzzParseProfile: whatever is accepted can be handed to k6, which reads its settings from the
// environment.
func FuzzParseProfile(f *testing.F) {
	f.Add([]byte(smoke))
	f.Add([]byte(strings.Replace(smoke, "duration: 60s",
		"stages: [{duration: 0s, times: 2}, {duration: 90s, perSecond: 0.5}, {duration: 1s, times: 9, excursion: true}]", 1)))
	f.Add([]byte(strings.Replace(smoke, "mode: inline",
		"mode: mixed\nweights: {rails: 1}\noperations: {list: 1e5}\ntenants: {choice: zipf, exponent: 1.5}", 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := load.ParseProfile("some.yaml", data)
		if err != nil {
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
			return
		}
		require.NoError(t, p.Validate())
		plain := regexp.MustCompile(`^[A-Z0-9_]+=[a-zA-Z0-9.:,=-]*$`)
		for _, setting := range load.Settings(load.Job{Profile: p, Rate: p.PerSecond(load.Tiers()[0])}) {
			require.Regexp(t, plain, setting)
		}
	})
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
