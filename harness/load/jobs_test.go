package load_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
)

func read(t *testing.T, name string) load.Profile {
	t.Helper()
	p, err := load.ReadProfile("../../perf/profiles/" + name + ".yaml")
	require.NoError(t, err)
	return p
}

const twoTenants = `{"tenants": [{"jwt": "x", "secrets": [{"name": "a"}, {"name": "b"}]}, {"secrets": [{"name": "c"}]}]}`

func TestJobsAreRecorded(t *testing.T) {
	t.Parallel()
	steady := read(t, "steady")
	for name, tc := range map[string]struct {
		profile func(*load.Profile)
		fixture string
		want    result.Jobs
	}{
		"as Runner": {fixture: twoTenants, want: result.Jobs{
			Choice: "uniform", Signing: "RS256", Tenants: 2,
			Secrets: 1,
		}},
		"connections kept": {
			profile: func(p *load.Profile) { p.Connections.Reuse = true },
			want:    result.Jobs{Choice: "uniform", Signing: "RS256", Reuse: true},
		},
		"repetitions": {profile: func(p *load.Profile) { p.Retries = true }, want: result.Jobs{
			Choice:  "uniform",
			Signing: "RS256", Retries: true,
		}},
		"few projects": {
			profile: func(p *load.Profile) { p.Tenants = &load.Tenants{Choice: "hot", Hot: 1, Share: 1} },
			want:    result.Jobs{Choice: "hot", Signing: "RS256"},
		},
		"another signature": {
			profile: func(p *load.Profile) { p.JobTokens = &load.JobTokens{Algorithm: "ES256"} },
			want:    result.Jobs{Choice: "uniform", Signing: "ES256"},
		},
		"no fixture to count": {fixture: "cut off: {", want: result.Jobs{Choice: "uniform", Signing: "RS256"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := steady
			if tc.profile != nil {
				tc.profile(&p)
			}
			var l result.Load
			load.Job{Profile: p, Fixture: []byte(tc.fixture)}.Describe(&l)
			require.Equal(t, p.Digest(), l.Jobs.Profile)
			l.Jobs.Profile = ""
			require.Equal(t, tc.want, *l.Jobs)
		})
	}
}

func TestDigestIsOfWhatAProfileDoes(t *testing.T) {
	t.Parallel()
	p := read(t, "steady")
	digest := p.Digest()
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, digest)
	renamed := p
	renamed.Name, renamed.Description = "mine", "another sentence"
	require.Equal(t, digest, renamed.Digest())
	for name, change := range map[string]func(*load.Profile){
		"connections": func(p *load.Profile) { p.Connections.Reuse = true },
		"repetitions": func(p *load.Profile) { p.Retries = true },
		"length":      func(p *load.Profile) { p.Duration = document.Duration(time.Minute) },
		"mode":        func(p *load.Profile) { p.Mode = "login-read" },
		"rate":        func(p *load.Profile) { p.Rate = load.Rate{PerSecond: 12} },
		"tenants":     func(p *load.Profile) { p.Tenants = &load.Tenants{Choice: "zipf", Exponent: 1} },
	} {
		other := p
		change(&other)
		require.NotEqual(t, digest, other.Digest(), name)
	}
}

// standardLoad is a load that says something of tier 12.
func standardLoad() (result.Run, result.Topology) {
	return result.Run{Tier: "12"}, result.Topology{
		Seed: &result.Seed{Tenants: 50, Secrets: 200},
		Load: &result.Load{
			Workload: "fetch", Mode: "inline", OfferedRate: 12, Fetches: 720,
			Steps:    map[string]result.Distribution{"connect": {Count: 720}},
			Attempts: &result.Attempts{Count: 720}, Jobs: &result.Jobs{
				Choice: "uniform", Signing: "RS256", Tenants: 50,
				Secrets: 4,
			},
		},
	}
}

func TestDifferencesFromTheStandard(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*result.Run, *result.Topology)
		want   string // part of the difference; empty: none
		harder bool   // or other: what it misses says nothing
	}{
		"as jobs do": {change: func(*result.Run, *result.Topology) {}},
		"another tier": {
			change: func(r *result.Run, _ *result.Topology) { r.Tier = "6" }, want: "of tier 6",
			harder: true,
		},
		"another mode": {
			change: func(_ *result.Run, t *result.Topology) { t.Load.Mode = "login-read" },
			want:   "mode login-read", harder: true,
		},
		"another script": {
			change: func(_ *result.Run, t *result.Topology) { t.Load.Workload = "mine" },
			want:   `script "mine"`, harder: true,
		},
		"a lower tier's rate": {
			change: func(_ *result.Run, t *result.Topology) { t.Load.OfferedRate = 6 },
			want:   "begins above 6", harder: true,
		},
		"beyond the tier": {
			change: func(_ *result.Run, t *result.Topology) { t.Load.OfferedRate = 12.5 },
			want:   "ends at 12", harder: true,
		},
		"limits stretched": {
			change: func(r *result.Run, _ *result.Topology) { r.EnvironmentLatency = 1 },
			want:   "--environment-latency",
		},
		"an excursion": {
			change: func(_ *result.Run, t *result.Topology) { t.Load.Excursion = &result.Excursion{} },
			want:   "excursions",
		},
		"a stage that is one": {change: func(_ *result.Run,
			t *result.Topology,
		) {
			t.Load.Stages = []result.LoadStage{{Excursion: true}}
		}, want: "excursions"},
		"nothing recorded": {
			change: func(_ *result.Run, t *result.Topology) { t.Load.Jobs = nil },
			want:   "does not say what its jobs did",
		},
		"connections kept": {
			change: func(_ *result.Run, t *result.Topology) { t.Load.Jobs.Reuse = true },
			want:   "kept connections open",
		},
		"fewer connections": {change: func(_ *result.Run,
			t *result.Topology,
		) {
			t.Load.Steps["connect"] = result.Distribution{Count: 20}
		}, want: "opened 20 connections for 720"},
		"failed before connecting": {change: func(_ *result.Run, t *result.Topology) {
			t.Load.Failed, t.Load.Steps["connect"] = 5, result.Distribution{Count: 715}
		}},
		"repetitions that happened": {change: func(_ *result.Run, t *result.Topology) {
			t.Load.Jobs.Retries,
				t.Load.Attempts.Retried = true, 1
		}, want: "repeated requests"},
		"repetitions, not counted": {change: func(_ *result.Run, t *result.Topology) {
			t.Load.Jobs.Retries,
				t.Load.Attempts = true, nil
		}, want: "repeated requests"},
		"nothing to repeat": {change: func(_ *result.Run, t *result.Topology) { t.Load.Jobs.Retries = true }},
		"hot tenants": {
			change: func(_ *result.Run, t *result.Topology) { t.Load.Jobs.Choice = "hot" },
			want:   `chose tenants by "hot"`, harder: true,
		},
		"another signature": {
			change: func(_ *result.Run, t *result.Topology) { t.Load.Jobs.Signing = "ES256" },
			want:   `"ES256"`, harder: true,
		},
		"one tenant": {
			change: func(_ *result.Run, t *result.Topology) { t.Load.Jobs.Tenants = 1 },
			want:   "from 1 tenant, and 50",
		},
		"one secret": {
			change: func(_ *result.Run, t *result.Topology) { t.Load.Jobs.Secrets = 1 },
			want:   "with 1 secret, and 4",
		},
		"over TLS": {
			change: func(_ *result.Run, t *result.Topology) { t.TLS = true },
			want:   "over TLS", harder: true,
		},
		"counted by the seed": {change: func(_ *result.Run, t *result.Topology) {
			t.Load.Jobs.Tenants,
				t.Load.Jobs.Secrets = 0, 0
		}},
		"a small seed": {change: func(_ *result.Run, t *result.Topology) {
			t.Load.Jobs.Tenants,
				t.Seed.Tenants = 0, 49
		}, want: "from 49 tenants"},
		"tenants unknown": {change: func(_ *result.Run, t *result.Topology) {
			t.Load.Jobs.Tenants, t.Seed = 0,
				nil
		}, want: "an unknown number of tenants"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run, topology := standardLoad()
			tc.change(&run, &topology)
			got := load.TierStandard().Differences("12", run, &topology)
			if tc.want == "" {
				require.Empty(t, got)
				return
			}
			require.Len(t, got, 1)
			require.Contains(t, got[0].What, tc.want)
			require.Equal(t, !tc.harder, got[0].Easier)
		})
	}
}

// TestShippedProfilesAreStandard holds the profiles that a gate is used with against the standard.
func TestShippedProfilesAreStandard(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{
		"smoke": 0, "steady": 0, "soak": 0,
		"mixed": 2,
	} { // mixed: mode, and tenants by zipf
		run, topology := standardLoad()
		p := read(t, name)
		jobs := topology.Load.Jobs
		load.Job{Profile: p}.Describe(topology.Load)
		topology.Load.Jobs.Tenants, topology.Load.Jobs.Secrets = jobs.Tenants, jobs.Secrets
		require.Len(t, load.TierStandard().Differences("12", run, &topology), want, name)
	}
}
