package judge_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
)

// TestWatchedIsGood: without a change all conditions hold, so that each of the cases above is due
// to its change.
func TestWatchedIsGood(t *testing.T) {
	t.Parallel()
	r := watched()
	judge.Judge(r, judge.Policy{
		SLO: slos(t, sloFile), Validity: judge.DefaultValidity(),
		Expect: judge.Expect{Load: true},
	})
	require.Equal(t, result.Pass, r.Verdict, "%q", r.Reasons)
	for _, c := range r.Topologies[0].Checks {
		require.Equal(t, result.Pass, c.Verdict, "%s: %s", c.ID, c.Reason)
	}
}

// TestExcuses: a missed latency limit is INCONCLUSIVE, and the machine's, only where the machine
// may have caused it.
func TestExcuses(t *testing.T) {
	t.Parallel()
	slow := replace(slower(0.2, 21))
	small := func(r *result.Result) { r.Run.Host = result.Host{CPUs: 2, UsableCPUs: 2} }
	// the chart writes so much of a log that the runtime and the journal are busy: all of it in
	// the node
	log := func(r *result.Result) {
		top := &r.Topologies[0]
		for i := range top.Host.Samples {
			top.Host.Samples[i].CPUCores, top.Nodes[0].Samples[i].CPUCores = 7, 6.6
		}
	}
	for name, tc := range map[string]struct {
		change
		want result.Verdict
	}{
		"a fine machine":            {nil, result.Fail},
		"a small host that is idle": {small, result.Fail},
		"a small host that is full": {all(small, host(0, 111, func(s *result.ResourceSample) { s.CPUCores = 1.8 }),
			func(r *result.Result) {
				n := r.Topologies[0].Nodes[0].Samples
				for i := range n {
					n[i].CPUCores = 1.6
				}
			}), result.Inconclusive},
		"strangers":                   {crowd(0, 111), result.Inconclusive},
		"a chart that drives the log": {log, result.Fail},
		"a job of few CPUs": {func(r *result.Result) {
			s := r.Topologies[0].Own.Samples
			for i := range s {
				s[i].Throttled = 0.5
			}
		}, result.Inconclusive},
		"strangers beside a quota": {all(crowd(0, 111),
			func(r *result.Result) { r.Run.Host = result.Host{CPUs: 64, UsableCPUs: 8} }), result.Fail},
		"a halt of the machine": {func(r *result.Result) {
			h := r.Topologies[0].Host
			h.Samples = append(h.Samples[:50:50], h.Samples[58:]...)
		}, result.Inconclusive},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := watched()
			slow(r)
			if tc.change != nil {
				tc.change(r)
			}
			judge.Judge(r, judge.Policy{
				SLO: slos(t, sloFile), Validity: judge.DefaultValidity(),
				Expect: judge.Expect{Load: true},
			})
			require.Equal(t, tc.want, r.Verdict, "%q", r.Reasons)
			for _, c := range r.Topologies[0].Checks {
				if c.ID == "slo/fetch-p90-ms" {
					require.Equal(t, tc.want == result.Inconclusive, c.Owner == result.OwnerMachine)
				}
			}
		})
	}
}

// TestMissingIsNotZero: what was not sampled is no good news for an objective that judges it.
func TestMissingIsNotZero(t *testing.T) {
	t.Parallel()
	for _, metric := range []string{
		"openbao_cpu_ms_per_fetch", "openbao_throttled_ratio", "openbao_cpu_of_request",
		"openbao_memory_of_limit", "openbao_memory_mib",
	} {
		for name, change := range map[string]change{
			"a standby without samples": func(r *result.Result) {
				standby := result.ResourceSeries{
					Component: "openbao", Name: "openbao-1/openbao-server", CPURequest: 1,
					MemoryLimit: 1000,
				}
				r.Topologies[0].Resources = append(r.Topologies[0].Resources, standby)
			},
			"samples of the warm-up only": func(r *result.Result) {
				s := &r.Topologies[0].Resources[0]
				s.Samples = s.Samples[:8]
			},
		} {
			r := watched()
			r.Topologies[0].Resources[0].CPURequest = 1
			got, err := judge.Read(metric, &r.Topologies[0])
			require.NoError(t, err)
			require.Empty(t, got.Missing, metric)
			change(r)
			got, err = judge.Read(metric, &r.Topologies[0])
			require.NoError(t, err)
			require.NotEmpty(t, got.Missing, "%s, %s", metric, name)
		}
	}
}
