package judge_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
)

// shipped is the file of objectives that runs are judged by.
func shipped(t testing.TB) *judge.SLO {
	t.Helper()
	s, err := judge.ReadSLO("../../perf/slo.yaml")
	require.NoError(t, err)
	return s
}

// tier12 is a run of so many seconds at tier 12, observed throughout.
func tier12(t testing.TB, seconds int, of func(second, k int) fetch) *result.Result {
	t.Helper()
	r := good()
	r.Run.Tier = "12"
	top := &r.Topologies[0]
	u := judge.Subject{Topology: top.Name, Mode: "inline", Tier: "12"}
	top.Load = drive(15, seconds, 12, of, shipped(t).Thresholds(u, 0)...)
	top.Resources[0].Samples = nil
	for i := range seconds + 20 {
		at := top.Load.Start.Add(time.Duration(i) * time.Second)
		top.Resources[0].Samples = append(top.Resources[0].Samples, result.ResourceSample{At: at, CPUCores: 0.02})
	}
	return r
}

func checkOf(t testing.TB, r *result.Result, id string) result.Check {
	t.Helper()
	for _, c := range r.Topologies[0].Checks {
		if c.ID == id {
			return c
		}
	}
	require.Fail(t, "no check "+id)
	return result.Check{}
}

// every has each n-th fetch take so long, the others 15 ms.
func every(n int, ms float64) func(second, k int) fetch {
	return func(second, k int) fetch {
		if (12*second+k)%n == 0 {
			return fetch{ms: ms}
		}
		return fetch{ms: 15}
	}
}

// between has all fetches from one second to another take so long.
func between(from, to int, ms float64) func(second, k int) fetch {
	return func(second, _ int) fetch {
		if second >= from && second < to {
			return fetch{ms: ms}
		}
		return fetch{ms: 15}
	}
}

// TestQuantilesAreJudgedByCounting is the decision table of latency objectives: tier 12 of
// perf/slo.yaml, at most 5 % above 250 ms and 1 % above 500 ms, a mean of at most 100 ms.
func TestQuantilesAreJudgedByCounting(t *testing.T) {
	t.Parallel()
	both := []string{"fetch_p95_ms", "fetch_p99_ms"}
	failing := func(of func(second, k int) fetch, n int) func(second, k int) fetch {
		return func(second, k int) fetch { f := of(second, k); f.failed = (12*second+k)%n == 0; return f }
	}
	for name, tc := range map[string]struct {
		seconds   int
		of        func(second, k int) fetch
		notJudged []string
		change    func(*result.Load)
		want      result.Verdict
		reason    string
		p99       result.Verdict
	}{
		"ten minutes, all fast": {600, every(1<<30, 0), nil, nil, result.Pass, "", result.Pass},
		"a few slow ones":       {600, every(1000, 700), nil, nil, result.Pass, "", result.Pass},
		"just too many to tell": {
			600, every(150, 700), nil, nil, result.Inconclusive,
			"0.67 % were above 500 ms or failed", result.Inconclusive,
		},
		"the review's: 1.5 % of 5 s": {
			600, every(67, 5000), nil, nil, result.Fail,
			"p99 from the intended start: 5001 ms, limit 500 ms; 1.5 % were above", result.Fail,
		},
		"the same in one spell": {
			600, between(300, 309, 5000), nil, nil, result.Inconclusive, "1.5 % were above 500 ms",
			result.Inconclusive,
		},
		"a minute, all fast": {60, every(1<<30, 0), both, nil, result.Pass, "", result.Inconclusive},
		"a minute that promises it": {
			60, every(1<<30, 0), nil, nil, result.Inconclusive, "to hold it takes at least 2m0s",
			result.Inconclusive,
		},
		"two minutes, p95 judged": {120, every(1<<30, 0), both[1:], nil, result.Pass, "", result.Inconclusive},
		// The review's second example was a PASS: 6 of 720 fetches take 10 s, so that the mean is
		// 98 ms.
		"a minute with six of 10 s": {
			60, every(120, 10_000), both, nil, result.Inconclusive,
			"the mean of many such runs", result.Inconclusive,
		},
		"a minute with one in twenty": {
			60, every(20, 700), both, nil, result.Fail, "p99 from the intended start",
			result.Fail,
		},
		"half of it slow":                   {60, between(0, 30, 300), both, nil, result.Fail, "", result.Inconclusive},
		"fast failures are no fast fetches": {600, failing(every(1<<30, 0), 40), nil, nil, result.Fail, "", result.Fail},
		"counts that contradict the histogram": {
			600, every(67, 5000), nil, func(l *result.Load) { clearAbove(l) },
			result.Inconclusive, "contradict the histogram", result.Inconclusive,
		},
		"a second is missing": {600, every(1<<30, 0), nil, func(l *result.Load) {
			l.Series = append(l.Series[:100:100], l.Series[101:]...)
		}, result.Inconclusive, "do not add up", result.Inconclusive},
		"one second": {
			1, every(1<<30, 0), both, nil, result.Inconclusive, "too few seconds",
			result.Inconclusive,
		},
		"a damaged histogram": {
			600, every(1<<30, 0), nil, func(l *result.Load) { l.Intended.HDR = "AAAA" },
			result.Inconclusive, "the histogram is damaged", result.Inconclusive,
		},
		"a mean that is not its seconds'": {
			600, every(1<<30, 0), nil, func(l *result.Load) { l.Intended.Mean = 1 },
			result.Inconclusive, "contradict the mean", result.Pass,
		},
		// Evidence of before December 2026 has a histogram, and quantiles for each second.
		"old, all fast":     {600, every(1<<30, 0), nil, old, result.Pass, "", result.Pass},
		"old, a few slow":   {600, every(1000, 700), nil, old, result.Pass, "", result.Pass},
		"old, 3 % slow":     {600, every(33, 5000), nil, old, result.Fail, "", result.Fail},
		"old, in one spell": {600, between(300, 309, 5000), nil, old, result.Inconclusive, "", result.Inconclusive},
		"old, too short":    {60, every(1<<30, 0), nil, old, result.Inconclusive, "to hold it takes", result.Inconclusive},
		"old, without both": {
			600, every(1<<30, 0), nil, func(l *result.Load) { old(l); l.Intended.HDR = "" },
			result.Inconclusive, "there is no histogram", result.Inconclusive,
		},
		"old, all are slow":  {600, every(1, 5000), nil, old, result.Fail, "", result.Fail},
		"old, failed at all": {600, failing(every(1<<30, 0), 40), nil, old, result.Fail, "failed fetches", result.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := tier12(t, tc.seconds, tc.of)
			l := r.Topologies[0].Load
			l.NotJudged = tc.notJudged
			if tc.change != nil {
				tc.change(l)
			}
			judge.Judge(r, judge.Policy{SLO: shipped(t), Validity: relaxed(), Expect: judge.Expect{Load: true}})
			require.Equal(t, tc.want, r.Verdict, "%q", r.Reasons)
			require.Contains(t, strings.Join(r.Reasons, "\n"), tc.reason)
			require.Equal(t, tc.p99, checkOf(t, r, "slo/fetch-p99-ms").Verdict, "%+v", checkOf(t, r, "slo/fetch-p99-ms"))
			if tc.want == result.Pass && tc.p99 != result.Pass {
				require.Contains(t, strings.Join(r.Reasons, "\n"), "not judged: p99 from the intended start, limit 500 ms")
			}
			judge.Judge(r, judge.Policy{SLO: shipped(t), Validity: relaxed(), WholeEntry: true})
			if tc.p99 == result.Inconclusive {
				require.NotEqual(t, result.Pass, r.Verdict, "it is no evidence for a release")
			}
		})
	}
}

// relaxed has a drift of any size, since some of the table's loads have one on purpose.
func relaxed() judge.Validity {
	v := judge.DefaultValidity()
	v.MaxDrift = 1e9
	return v
}

func clearAbove(l *result.Load) {
	for i := range l.Series {
		clear(l.Series[i].Above)
	}
}

// TestMachinesTroubleExcuses: a quantile that is missed by counts is still no FAIL on a saturated
// machine, and still no PASS.
func TestMachinesTroubleExcuses(t *testing.T) {
	t.Parallel()
	r := tier12(t, 600, every(20, 5000))
	r.Topologies[0].Load.Generator.CPUShare = 0.6
	judge.Judge(r, judge.Policy{SLO: shipped(t), Validity: relaxed()})
	require.Equal(t, result.Inconclusive, r.Verdict)
	c := checkOf(t, r, "slo/fetch-p99-ms")
	require.Contains(t, c.Reason, "but k6 used 60 % of the host")
	require.Greater(t, c.Bounds.Lower, c.Bounds.Allowed)
}

// TestRequestErrorsAreAShare judges the share of single requests that failed, which seconds count
// as well.
func TestRequestErrorsAreAShare(t *testing.T) {
	t.Parallel()
	s := slos(t, strings.Replace(sloFile, "metric: error_rate, op: \"<=\", limit: 0.08",
		"metric: attempt_error_rate, op: \"<=\", limit: 0.08", 1))
	for name, tc := range map[string]struct {
		failed, each int64
		change       func(*result.Load)
		want         result.Verdict
	}{
		"none":              {0, 0, func(*result.Load) {}, result.Pass},
		"a few, repeated":   {0, 1, func(*result.Load) {}, result.Pass},
		"too many":          {0, 40, func(*result.Load) {}, result.Fail},
		"in unknown places": {0, 1, func(l *result.Load) { old(l) }, result.Inconclusive},
	} {
		r := good()
		l := r.Topologies[0].Load
		l.Attempts = &result.Attempts{}
		for i := range l.Series {
			if iv := &l.Series[i]; iv.Phase == "measure" && iv.Fetches > 0 {
				iv.Attempts, iv.AttemptsFailed = iv.Fetches+tc.each, tc.each
				l.Attempts.Count, l.Attempts.Failed = l.Attempts.Count+iv.Attempts, l.Attempts.Failed+tc.each
			}
		}
		tc.change(l)
		judge.Judge(r, judge.Policy{SLO: s, Validity: judge.DefaultValidity()})
		require.Equal(t, tc.want, checkOf(t, r, "slo/attempt-error-rate").Verdict, "%s: %+v", name,
			checkOf(t, r, "slo/attempt-error-rate"))
	}
}

// TestOldEvidenceIsNoLaxer makes up random loads and judges them with the counts and without: what
// lacks them is never decided where the counts decide the other way.
func TestOldEvidenceIsNoLaxer(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(16, 1))
	for range 10 {
		slow, spell := 0.05*rng.Float64(), rng.IntN(2) == 0
		from := rng.IntN(500)
		of := func(second, k int) fetch {
			if spell && second >= from && second < from+int(300*slow) || !spell && float64((12*second+k)*7919%1000) < 1000*slow {
				return fetch{ms: 600 + 100*float64(k)}
			}
			return fetch{ms: 10 + float64((second*12+k)%40)}
		}
		exact := tier12(t, 600, of)
		lacking := tier12(t, 600, of)
		old(lacking.Topologies[0].Load)
		for _, r := range []*result.Result{exact, lacking} {
			judge.Judge(r, judge.Policy{SLO: shipped(t), Validity: relaxed()})
		}
		for _, id := range []string{"slo/fetch-mean-ms", "slo/fetch-p95-ms", "slo/fetch-p99-ms"} {
			a, b := checkOf(t, exact, id), checkOf(t, lacking, id)
			require.NotEqual(t, map[result.Verdict]result.Verdict{result.Pass: result.Fail, result.Fail: result.Pass}[a.Verdict],
				b.Verdict, "%s: %+v, %+v", id, a, b)
			if a.Bounds != nil && b.Bounds != nil {
				require.GreaterOrEqual(t, b.Bounds.Upper, a.Bounds.Upper-1e-9, id)
				require.LessOrEqual(t, b.Bounds.Lower, a.Bounds.Lower+1e-9, id)
			}
		}
	}
}

// TestSupports says before the run what perf/slo.yaml asks of its length.
func TestSupports(t *testing.T) {
	t.Parallel()
	s := shipped(t)
	entry := s.Entries[s.FindUnversioned(judge.Subject{Topology: "cloud-native", Mode: "inline", Tier: "12"})]
	needs := func(d judge.Drive) map[string]string {
		out := map[string]string{}
		for _, x := range entry.Supports(d) {
			out[x.Limit.Metric] = x.Needs.String()
			if x.Decidable {
				out[x.Limit.Metric] = "decidable"
			}
		}
		return out
	}
	require.Equal(t, map[string]string{"fetch_mean_ms": "decidable", "fetch_p95_ms": "2m0s", "fetch_p99_ms": "10m0s"},
		needs(judge.Drive{Rate: 12, Seconds: 60}))
	require.Equal(t, map[string]string{"fetch_mean_ms": "decidable", "fetch_p95_ms": "decidable", "fetch_p99_ms": "10m0s"},
		needs(judge.Drive{Rate: 150, Seconds: 120}))
	for _, rate := range []float64{3, 6, 12, 30, 60, 150} {
		for metric, says := range needs(judge.Drive{Rate: rate, Seconds: 600}) {
			require.Equal(t, "decidable", says, "%s at %v/s", metric, rate)
		}
	}
	require.Equal(t, "10s", needs(judge.Drive{Rate: 12, Seconds: 5})["fetch_mean_ms"])
	stages := []result.LoadStage{
		{Seconds: 300, From: 1.2, To: 12},
		{At: 300, Seconds: 60, From: 12, To: 12},
		{At: 360, Seconds: 600, From: 120, To: 120, Excursion: true},
	}
	ramp := needs(judge.Drive{Rate: 12, Seconds: 360, Stages: stages})
	require.Equal(t, "decidable", ramp["fetch_p95_ms"])
	require.Equal(t, "12m10s", ramp["fetch_p99_ms"],
		"a burst hits the busy end of a ramp, and the excursion is not judged")
	for _, x := range entry.Supports(judge.Drive{Rate: 12, Seconds: 600}) {
		if x.Limit.Metric == "fetch_p99_ms" {
			require.InDelta(t, 0.002, x.Passable, 0.001)
			n := int(1 / x.Passable)
			r := tier12(t, 600, every(n+1, 700))
			judge.Judge(r, judge.Policy{SLO: s, Validity: relaxed()})
			require.Equal(t, result.Pass, checkOf(t, r, "slo/fetch-p99-ms").Verdict,
				"what the plan calls passable passes: one in %d", n+1)
		}
	}
}
