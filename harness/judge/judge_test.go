package judge_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
)

const sloFile = `apiVersion: steamer/v1
kind: SLO
name: test
environmentLatency: 10
entries:
  - openbao: ">=2.4.0"
    tier: [3, 150]
    topology: any
    limits:
      - {metric: fetch_p50_ms, op: "<=", limit: 7, source: GitLab documentation}
      - {metric: fetch_p90_ms, op: "<=", limit: 10, source: GitLab documentation}
      - {metric: error_rate, op: "<=", limit: 0.08, source: test}
      - {metric: wrong_values, op: "<=", limit: 0, source: test}
      - {metric: achieved_ratio, op: ">=", limit: 0.99, source: test}
      - {metric: openbao_throttled_ratio, op: "<=", limit: 0.25, source: test, informational: true}
`

func slos(t *testing.T, text string) *judge.SLO {
	t.Helper()
	s, err := judge.ParseSLO("slo.yaml", []byte(text))
	require.NoError(t, err)
	return s
}

// good is a run of one topology that passes: 20,000 fetches, p90 6 ms.
func good() *result.Result {
	load := drive(10, 100, 200, ordinary, result.Threshold{From: "intended", Limit: 17}, result.Threshold{
		From:  "intended",
		Limit: 20,
	})
	load.Series = append(load.Series, result.Interval{Offset: 110, Phase: "measure", Above: []int64{0, 0}})
	pod := result.ResourceSeries{Component: "openbao", Name: "openbao-0/openbao-server"}
	for i := range 111 {
		pod.Samples = append(pod.Samples, result.ResourceSample{
			At:       load.Start.Add(time.Duration(i) * time.Second),
			CPUCores: 0.2, MemoryMiB: 300, Throttled: 0.01,
		})
	}
	return &result.Result{
		APIVersion: result.APIVersion, Kind: result.Kind, Run: result.Run{ID: "t", Tier: "150"},
		Topologies: []result.Topology{{
			Name: "cloud-native", Chart: result.Chart{Version: "0.12.3"}, Versions: map[string]string{"openbao": "2.4.0"},
			Load: load,
			Scenarios: []result.Scenario{{ID: "access/own", Status: result.Passed}, {
				ID: "access/other", Status: result.Skipped,
				Reason: "not here",
			}},
			Resources: []result.ResourceSeries{pod},
		}},
	}
}

// TestVerdicts is the decision table: one thing is changed in a run that passes.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	type R = result.Result
	at := func(r *R, s int) time.Time { return r.Topologies[0].Load.Start.Add(time.Duration(s) * time.Second) }
	event := func(kind, detail string, second int, planned bool) func(*R) {
		return func(r *R) {
			r.Topologies[0].Events = []result.Event{{At: at(r, second), Kind: kind, Detail: detail, Planned: planned}}
		}
	}
	load := func(f func(*result.Load)) func(*R) { return func(r *R) { f(r.Topologies[0].Load) } }
	excursion := func(e result.Excursion, second result.Interval) func(*R) {
		return load(func(l *result.Load) {
			l.Stages = []result.LoadStage{{At: 10, Seconds: 90, From: 200, To: 200}, {
				At: 100, Seconds: 10, From: 200, To: 400,
				Excursion: true,
			}}
			l.MeasuredSeconds, l.Excursion = 90, &e
			second.Offset, second.Phase = 105, "excursion"
			l.Series = append(l.Series, second)
		})
	}
	fail := func(r *R) {
		r.Topologies[0].Scenarios[0].Status, r.Topologies[0].Scenarios[0].Reason = result.Failed, "got 500"
	}
	slow := replace(slower(0.15, 21))
	saturated := load(func(l *result.Load) { l.Generator.CPUShare = 0.6 })
	throttled := func(r *R) {
		t := &r.Topologies[0]
		t.Load.Parts = []result.LoadPart{{Name: "k6-0"}}
		t.Resources = append(t.Resources, result.ResourceSeries{
			Component: "k6",
			Samples:   []result.ResourceSample{{At: t.Load.Start, Throttled: 0.86}},
		})
	}
	crowded := func(cores float64) func(*R) { // of six, of which 0.2 are OpenBao's
		return func(r *R) {
			t := &r.Topologies[0]
			r.Run.Host.CPUs, t.Host = 6, &result.ResourceSeries{Component: "host"}
			for i := range 111 {
				t.Host.Samples = append(t.Host.Samples, result.ResourceSample{
					At:       t.Load.Start.Add(time.Duration(i) * time.Second),
					CPUCores: cores,
				})
			}
		}
	}
	failing := func(share float64) func(*R) {
		return replace(func(second, k int) fetch { return fetch{ordinary(second, k).ms, k < int(200*share)} })
	}
	dropped := load(func(l *result.Load) { l.Dropped = 3 })
	both := func(fs ...func(*R)) func(*R) {
		return func(r *R) {
			for _, f := range fs {
				f(r)
			}
		}
	}
	for name, tc := range map[string]struct {
		change func(*R)
		want   result.Verdict
		reason string // part of the first reason
	}{
		"all well":        {func(*R) {}, result.Pass, "cloud-native: scenarios: 1 of 1 passed, 1 skipped"},
		"scenario failed": {fail, result.Fail, "scenario access/own failed: got 500"},
		"wrong value": {
			load(func(l *result.Load) { l.Wrong = 1 }), result.Fail,
			"1 fetches were answered with a wrong value",
		},
		"wrong value in warm-up": {
			load(func(l *result.Load) { l.Series[2].Wrong = 2 }), result.Fail,
			"2 fetches were answered with a wrong value",
		},
		"objective missed":    {slow, result.Fail, "p90 from the intended start: 21 ms, limit 20 ms"},
		"objective just held": {replace(slower(0.15, 19.98)), result.Pass, ""},
		"too many failures":   {failing(0.2), result.Fail, "20 % were above 20 ms or failed"},
		"k6 thresholds": {
			load(func(l *result.Load) { l.Extra["k6_thresholds_failed"] = 1 }), result.Fail,
			"k6 reported a crossed threshold",
		},
		"dropped": {dropped, result.Inconclusive, "3 arrivals were dropped"},
		"interrupted fetches": {
			load(func(l *result.Load) { l.Extra["interrupted"] = 2 }), result.Inconclusive,
			"2 fetches were still running when k6 gave up waiting, so the slowest are missing",
		},
		"what a cut off fetch was doing": {
			load(func(l *result.Load) {
				l.Extra = map[string]float64{"interrupted": 1, "interrupted_first_byte": 1, "interrupted_ms": 43200}
			}), result.Inconclusive,
			"1 fetch was still running when k6 gave up waiting, so the slowest are missing " +
				"(1 waiting for the answer, for 43.2 s on average)",
		},
		"too slow a generator": {
			load(func(l *result.Load) { l.AchievedRate = 197 }), result.Inconclusive,
			"197 of 200 fetches/s",
		},
		"one fetch off": {load(func(l *result.Load) { l.OfferedRate, l.AchievedRate = 0.3, 0.29 }), result.Pass, ""},
		"no rate":       {load(func(l *result.Load) { l.OfferedRate = 0 }), result.Inconclusive, "of 0 fetches/s"},
		"saturated":     {saturated, result.Inconclusive, "k6 used 60 % of the host"},
		"generator unknown": {
			load(func(l *result.Load) { l.Generator.CPUShare = 0 }), result.Inconclusive,
			"was not recorded",
		},
		"partial load": {
			load(func(l *result.Load) { l.Partial = "k6 was killed" }), result.Inconclusive,
			"k6 was killed",
		},
		"drift": {load(func(l *result.Load) {
			for i := 70; i < 111; i++ {
				l.Series[i].P50 = 9
			}
		}), result.Inconclusive, "the median moved"},
		"drift below the floor": {load(func(l *result.Load) {
			for i := 60; i < 111; i++ {
				l.Series[i].P50 = 4.9
			}
		}), result.Pass, ""},
		"trend": {load(func(l *result.Load) {
			for i := range l.Series {
				l.Series[i].P50 = 6 + 0.05*float64(i) // the halves differ by a third only
			}
		}), result.Inconclusive, "the p50 went from 6"},
		"rate that moves": {load(func(l *result.Load) {
			for i := range l.Series {
				l.Series[i].P50 = 6 + 0.5*float64(i)
			}
			l.Stages = []result.LoadStage{{At: 10, Seconds: 100, From: 100, To: 300}}
		}), result.Pass, ""},
		"excursion breaks": {excursion(result.Excursion{Seconds: 10, Fetches: 900, Failed: 400, Dropped: 700},
			result.Interval{Failed: 40, Dropped: 70}), result.Pass, ""},
		"excursion lies": {
			excursion(result.Excursion{Seconds: 10, Wrong: 1}, result.Interval{Wrong: 1}),
			result.Fail, "1 fetches were answered with a wrong value",
		},
		"half without fetches": {
			load(func(l *result.Load) { l.Series = l.Series[:40] }), result.Inconclusive,
			"do not add up",
		},
		"restart under load": {
			event("restart", "openbao-0: exit 137", 50, false), result.Inconclusive,
			"openbao-0: exit 137 at +50 s",
		},
		"OOM seen by Kubernetes": {
			event("kubernetes", "OOMKilling postgresql-0", 50, false), result.Inconclusive,
			"OOMKilling",
		},
		"planned restart":         {event("restart", "openbao-0", 50, true), result.Pass, ""},
		"restart before the load": {event("restart", "openbao-0", -5, false), result.Pass, ""},
		"restart after the load":  {event("restart", "openbao-0", 115, false), result.Pass, ""},
		"database stood still": {
			event("database", "stood still for 58 s", 50, false), result.Inconclusive,
			"stood still for 58 s at +50 s",
		},
		"leadership to and fro": {func(r *R) {
			for second := range 7 {
				r.Topologies[0].Events = append(r.Topologies[0].Events, result.Event{
					At: at(r, second), Kind: "leadership",
					Detail: "x leads after y",
				})
			}
		}, result.Inconclusive, "x leads after y at +4 s; and 2 more"},
		"leadership under load": {
			event("leadership", "openbao-1 is active", 50, false), result.Inconclusive,
			"openbao-1 is active",
		},
		"not observed": {
			func(r *R) { r.Topologies[0].Resources = nil }, result.Inconclusive,
			"not watched throughout",
		},
		"observed in part": {
			func(r *R) { s := &r.Topologies[0].Resources[0]; s.Samples = s.Samples[:60] },
			result.Inconclusive, "not watched throughout",
		},
		"no load": {func(r *R) { r.Topologies[0].Load = nil }, result.Inconclusive, "no load was run"},
		"no scenarios": {
			func(r *R) { r.Topologies[0].Scenarios = nil }, result.Inconclusive,
			"no scenario ran (0 skipped)",
		},
		"all skipped": {
			func(r *R) { r.Topologies[0].Scenarios = r.Topologies[0].Scenarios[1:] },
			result.Inconclusive, "no scenario ran (1 skipped)",
		},
		"no topology": {func(r *R) { r.Topologies = nil }, result.Inconclusive, "no topology was installed"},
		"run stopped": {func(r *R) { r.Run.Partial = true }, result.Inconclusive, "the run did not reach its end"},
		"step failed": {
			func(r *R) { r.Steps = []result.Step{{Name: "seed", Error: "403"}} }, result.Inconclusive,
			`step "seed" failed: 403`,
		},
		"a latency missing": {
			load(func(l *result.Load) { l.Intended.Count-- }), result.Inconclusive,
			"19999 of 20000 fetches have a latency",
		},
		"nothing recorded": {
			load(func(l *result.Load) { l.Intended, l.Fetches = result.Distribution{}, 0 }),
			result.Inconclusive, "no latency was recorded",
		},
		"informational missed": {func(r *R) {
			for i := range r.Topologies[0].Resources[0].Samples {
				r.Topologies[0].Resources[0].Samples[i].Throttled = 0.9
			}
		}, result.Pass, ""},
		"failed beats invalid":  {both(fail, dropped), result.Fail, "scenario access/own failed"},
		"miss under drops":      {both(slow, dropped), result.Fail, "21 ms, limit 20 ms"},
		"miss under saturation": {both(slow, saturated), result.Inconclusive, "but k6 used 60 % of the host"},
		"miss of a held back k6": {
			both(slow, throttled), result.Inconclusive,
			"but a load generator was throttled in 86 %",
		},
		"miss beside a build": {
			both(slow, crowded(3)), result.Inconclusive,
			"and 10 % is allowed, but other processes used more than 40 % of the host's CPUs in 10 of 10 spans",
		},
		"miss on a quiet host": {both(slow, crowded(2)), result.Fail, "21 ms, limit 20 ms"},
		"miss on a small host": {
			both(slow, crowded(1), func(r *R) { r.Run.Host.CPUs = 4 }), result.Fail,
			"21 ms, limit 20 ms",
		},
		"held on a small host": {both(crowded(1), func(r *R) { r.Run.Host.CPUs = 4 }), result.Pass, ""},
		"held beside a build":  {crowded(5.9), result.Pass, ""},
		"wrong beside a build": {
			both(load(func(l *result.Load) { l.Wrong = 1 }), crowded(5.9)), result.Fail,
			"wrong value",
		},
		"wrong under saturation":  {both(load(func(l *result.Load) { l.Wrong = 1 }), saturated), result.Fail, "wrong value"},
		"errors under saturation": {both(failing(0.2), saturated), result.Fail, "failed fetches: 20 %"},
		"failure in a stopped run": {
			both(fail, func(r *R) { r.Run.Partial = true }), result.Fail,
			"scenario access/own failed",
		},
		"worst topology decides": {func(r *R) {
			bad := good().Topologies[0]
			bad.Name = "hybrid"
			bad.Scenarios[0].Status = result.Failed
			r.Topologies = append(r.Topologies, bad)
		}, result.Fail, "hybrid: scenario access/own failed"},
		"unsure topology decides": {func(r *R) {
			bad := good().Topologies[0]
			bad.Name = "hybrid"
			bad.Load = nil
			r.Topologies = append(r.Topologies, bad)
		}, result.Inconclusive, "hybrid: no load was run"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := good()
			tc.change(r)
			p := judge.Policy{SLO: slos(t, sloFile), Validity: judge.DefaultValidity(), Expect: judge.Expect{
				Scenarios: true,
				Load:      true,
			}}
			judge.Judge(r, p)
			require.Equal(t, tc.want, r.Verdict, "%q", r.Reasons)
			require.NotEmpty(t, r.Reasons)
			require.Contains(t, r.Reasons[0], tc.reason)
			judge.Judge(r, p)
			require.Equal(t, tc.want, r.Verdict)
			if len(r.Topologies) > 0 {
				_, err := result.Encode(r)
				require.NoError(t, err)
			}
		})
	}
}

func TestFunctionalRunNeedsNoLoad(t *testing.T) {
	t.Parallel()
	r := good()
	r.Topologies[0].Load = nil
	judge.Judge(r, judge.Policy{Expect: judge.Expect{Scenarios: true}})
	require.Equal(t, result.Pass, r.Verdict)
	require.Empty(t, r.Topologies[0].Checks)
}

func TestWithoutObjectivesNothingIsProven(t *testing.T) {
	t.Parallel()
	r := good()
	judge.Judge(r, judge.Policy{Validity: judge.DefaultValidity(), Expect: judge.Expect{Load: true}})
	require.Equal(t, result.Inconclusive, r.Verdict)
	require.Contains(t, r.Reasons[0], "the SLO file has none for chart 0.12.3")
	r.Topologies[0].Load.Failed = 1
	judge.Judge(r, judge.Policy{Validity: judge.DefaultValidity()})
	require.Equal(t, result.Fail, r.Verdict, "without a budget for errors there is none")
}

func TestChecksCarryTheirEvidence(t *testing.T) {
	t.Parallel()
	r := good()
	judge.Judge(r, judge.Policy{SLO: slos(t, sloFile), Validity: judge.DefaultValidity()})
	got := map[string]result.Check{}
	for _, c := range r.Topologies[0].Checks {
		require.NotContains(t, got, c.ID, "IDs are unique")
		require.NotEmpty(t, c.Title+c.Measured+c.Limit)
		got[c.ID] = c
	}
	c := got["slo/fetch-p50-ms"]
	require.NotNil(t, c.Bounds)
	require.InDelta(t, 0.058, c.Bounds.Upper, 0.001,
		"none of 20,000 fetches above 17 ms, in bursts of 400: 1-0.05^(400/20000)")
	c.Bounds = nil
	require.Equal(t, result.Check{
		ID: "slo/fetch-p50-ms", Kind: "slo", Title: "p50 from the intended start", Verdict: result.Pass, Measured: "3 ms",
		Limit: "<= 17 ms (7 + 10 for the environment)", Headroom: c.Headroom, Source: "GitLab documentation",
	}, c)
	require.InDelta(t, 14.0/17, c.Headroom, 1e-3)
	require.Equal(t, "<= 25 %", got["slo/openbao-throttled-ratio"].Limit, "no latency allowance for a share")
	require.Equal(t, "valid/complete", got["valid/complete"].ID)
}
