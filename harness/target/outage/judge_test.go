package outage_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target/outage"
)

// notes is a scenario's T that keeps what it is given.
type notes struct {
	failed, void, log []string
	measured          map[string]float64
}

func (n *notes) Errorf(f string, a ...any)      { n.failed = append(n.failed, fmt.Sprintf(f, a...)) }
func (n *notes) Void(f string, a ...any)        { n.void = append(n.void, fmt.Sprintf(f, a...)) }
func (n *notes) Skip(string, ...any)            { panic("Skip") }
func (n *notes) Logf(f string, a ...any)        { n.log = append(n.log, fmt.Sprintf(f, a...)) }
func (n *notes) FailNow()                       { panic("FailNow") }
func (n *notes) Failed() bool                   { return len(n.failed) > 0 }
func (n *notes) Helper()                        {}
func (n *notes) Measure(name string, v float64) { n.measured[name] = v }

// seen is a client that missed gaps of these lengths among 1,200 fetches that were due in a
// minute.
func seen(gaps ...time.Duration) outage.Report {
	r := outage.Report{Probes: 1200, Due: 1200}
	for _, gap := range gaps {
		r.Unavailable += gap
		r.Longest = max(r.Longest, gap)
		r.Lost += int(gap / (50 * time.Millisecond))
		r.Failed = r.Lost
	}
	return r
}

// TestJudge holds what two clients saw against a budget of 5 s + 1 s per namespace, 8 s in all, 20
// %.
func TestJudge(t *testing.T) {
	t.Parallel()
	quiet := seen()
	wrong := seen()
	wrong.Wrong = 1
	flood := seen(time.Second)
	flood.Lost = 600
	for name, tc := range map[string]struct {
		fresh, kept outage.Report
		machine     string
		failed      []string // parts of what has to be said
		void        bool
	}{
		"kept": {seen(6 * time.Second), quiet, "", nil, false},
		"too long a gap": {
			seen(8 * time.Second), quiet, "",
			[]string{"change config", "the longest gap is 8.0 s, at most 7.0 s", "a connection per fetch"},
			false,
		},
		"many short gaps": {
			seen(3*time.Second, 3*time.Second, 3*time.Second, 3*time.Second), quiet, "",
			[]string{"the sum of the gaps is 12.0 s, at most 10.0 s"},
			false,
		},
		"too many failures": {flood, quiet, "", []string{"the share of failed fetches is 50.0 %, at most 23.3 %"}, false},
		"the kept connection": {
			quiet, seen(9 * time.Second), "",
			[]string{"a kept connection the longest gap is 9.0 s"},
			false,
		},
		"the machine's": {seen(9 * time.Second), quiet, "this machine stood still for 4.0 s", nil, true},
		"wrong, whatever the machine did": {
			wrong, quiet, "this machine stood still for 4.0 s",
			[]string{"1 fetches by a connection per fetch got a wrong value"},
			false,
		},
		"none worked": {outage.Report{}, quiet, "", []string{"no fetch by a connection per fetch worked"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := &notes{measured: map[string]float64{}}
			env := &scenario.Env{
				Tenants: []gitlab.Tenant{{Name: "org_1/project_1"}},
				Outage: func(change, strategy string) (judge.Outage, bool) {
					require.Equal(t, [2]string{judge.OutageConfig, "Recreate"}, [2]string{change, strategy})
					return judge.Outage{Change: change, Longest: 5, Sum: 8, Failed: 20, PerNamespace: 1000}, true
				},
			}
			r := outage.Reports{Fresh: tc.fresh, Kept: tc.kept, Interval: 50 * time.Millisecond, Machine: tc.machine}
			outage.Judge(n, env, judge.OutageConfig, "Recreate", r)
			require.Equal(t, len(tc.failed) > 0, n.Failed(), n.failed)
			require.Equal(t, tc.void, len(n.void) > 0, n.void)
			for _, want := range tc.failed {
				require.Contains(t, fmt.Sprint(n.failed), want)
			}
			for _, figure := range []string{"longest_gap_seconds", "unavailable_seconds", "failed_percent"} {
				require.Contains(t, n.measured, figure)
				require.Contains(t, n.measured, "kept_"+figure)
				require.Contains(t, n.measured, "budget_"+figure)
			}
		})
	}
}

// TestJudgeWithoutBudget: a change that the file of objectives forgot is a failure, and without a
// file only wrong values are.
func TestJudgeWithoutBudget(t *testing.T) {
	t.Parallel()
	n := &notes{measured: map[string]float64{}}
	r := outage.Reports{Fresh: seen(time.Hour), Kept: seen(), Interval: time.Second}
	outage.Judge(n, &scenario.Env{}, judge.OutageConfig, "", r)
	require.Empty(t, n.failed)
	outage.Judge(n, &scenario.Env{Outage: func(string, string) (judge.Outage, bool) { return judge.Outage{}, false }},
		judge.OutageConfig, "OnDelete", r)
	require.Equal(t, []string{`no outage budget for change config with strategy "OnDelete": steamer slo check lists what is missing`},
		n.failed)
}

// TestFailedPercent: a probe that hung stands for all that were due meanwhile, and a short watch
// is a part of the window.
func TestFailedPercent(t *testing.T) {
	t.Parallel()
	r := outage.Report{Due: 400, Lost: 120}
	require.InDelta(t, 10, r.FailedPercent(50*time.Millisecond, time.Minute), 1e-9)
	require.InDelta(t, 30, r.FailedPercent(50*time.Millisecond, time.Second), 1e-9)
	require.Zero(t, outage.Report{}.FailedPercent(time.Minute, 0))
}
