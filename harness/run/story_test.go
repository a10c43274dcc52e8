package run_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/topology"
)

// exercised are the calls of a topology from its install to its load.
func exercised(name string) []string {
	var calls []string
	for _, call := range []string{"install", "seed", "environment", "scenarios", "restore", "hang up", "drive"} {
		calls = append(calls, call+" "+name)
	}
	return calls
}

// torn are the calls by which the platform goes.
func torn() []string { return []string{"remove cluster", "remove engine"} }

const (
	first  = topology.CloudNative
	second = topology.CloudNativeHybrid
)

// TestTheStory: everything in order, and all of it in the result.
func TestTheStory(t *testing.T) {
	t.Parallel()
	f, r := newFake(t)
	res, dir, err := r.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, slices.Concat(
		[]string{"up", "target " + first}, exercised(first), []string{"learn secrets " + first, "remove " + first},
		[]string{"target " + second + ", the last"}, exercised(second),
		[]string{"learn secrets " + second, "remove " + second}, torn()), f.calls)
	require.Equal(t, result.Pass, res.Verdict, res.Reasons)
	require.Equal(t, exit.Pass, judge.ExitCode(t.Context(), res.Verdict, err))
	require.False(t, res.Run.Partial)
	require.Equal(t, "docker 1 (fake)", res.Run.Host.Engine)
	require.Len(t, res.Topologies, 2)
	for _, one := range res.Topologies {
		require.Equal(t, 7, one.Seed.Tenants)
		require.Equal(t, "lifecycle/install", one.Scenarios[0].ID)
		require.Equal(t, result.Passed, one.Scenarios[0].Status)
		require.Equal(t, "access/own-secret", one.Scenarios[1].ID)
		require.NotNil(t, one.Load)
		require.NotEmpty(t, one.Resources)
		require.NotEmpty(t, one.Versions["openbao"])
	}
	var names []string
	for _, s := range res.Steps {
		names = append(names, strings.TrimSpace(s.Topology+" "+s.Name))
	}
	require.Equal(t, []string{
		"cluster", first + " install", first + " seed", first + " scenarios", first + " load", "clean up: topology " + first,
		second + " install", second + " seed", second + " scenarios", second + " load", "clean up: topology " + second,
		"clean up: cluster", "clean up: engine",
	}, names)
	kept, err := result.ReadFile(filepath.Join(dir, "result.json"))
	require.NoError(t, err)
	require.Equal(t, res.Verdict, kept.Verdict)
	require.FileExists(t, filepath.Join(dir, "report.html"))
	require.NoDirExists(t, filepath.Join(dir, "diagnostics"))
}

// TestPartsThatAreNotWanted are left out, and not missed.
func TestPartsThatAreNotWanted(t *testing.T) {
	t.Parallel()
	f, r := newFake(t)
	r.Plan.Topologies, r.Plan.Load, r.Plan.Scenarios = []string{second}, false, scenario.None
	res, _, err := r.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, slices.Concat([]string{
		"up", "target " + second + ", the last", "install " + second, "seed " + second, "learn secrets " + second,
		"remove " + second,
	}, torn()), f.calls)
	require.Equal(t, result.Pass, res.Verdict, res.Reasons)
}

// until are the calls of the first topology up to one.
func until(call string) []string {
	all := exercised(first)
	calls := append([]string{"up", "target " + first}, all[:slices.Index(all, call)+1]...)
	if strings.HasPrefix(call, "scenarios") || strings.HasPrefix(call, "restore") {
		calls = append(calls, "hang up "+first)
	}
	return calls
}

// TestAnErrorAtEachStep: what surrounds the chart fails. The diagnostics come before the removal,
// no other topology is begun, everything is removed in reverse, and what was measured is kept.
func TestAnErrorAtEachStep(t *testing.T) {
	t.Parallel()
	broken := exit.Environmentf("cluster", "make room", "the disk is full")
	for _, call := range exercised(first) {
		if strings.HasPrefix(call, "hang up") {
			continue
		}
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			f, r := newFake(t)
			f.fail[call] = broken
			res, dir, err := r.Run(t.Context())
			require.ErrorIs(t, err, broken)
			require.Equal(t, slices.Concat(until(call), []string{"diagnose " + first, "remove " + first}, torn()), f.calls)
			require.Equal(t, result.Inconclusive, res.Verdict, res.Reasons)
			require.Equal(t, exit.Environment, judge.ExitCode(t.Context(), res.Verdict, err))
			require.True(t, res.Run.Partial)
			require.Contains(t, strings.Join(res.Reasons, "\n"), "the disk is full")
			require.DirExists(t, filepath.Join(dir, "diagnostics", first))
			kept, err := result.ReadFile(filepath.Join(dir, "result.json"))
			require.NoError(t, err)
			require.Len(t, kept.Topologies, 1)
			if call == "drive "+first {
				require.NotNil(t, kept.Topologies[0].Load, "what was measured beside the error")
				require.Len(t, kept.Topologies[0].Scenarios, 2)
			}
		})
	}
}

// TestAnInterruptAtEachStep: the step ends, everything is removed although the context is
// cancelled, and the result says so.
func TestAnInterruptAtEachStep(t *testing.T) {
	t.Parallel()
	for _, call := range append([]string{"up"}, exercised(first)...) {
		if strings.HasPrefix(call, "hang up") {
			continue
		}
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f, r := newFake(t)
			f.interrupt = func(now string) {
				if now == call {
					cancel()
				}
			}
			res, dir, err := r.Run(ctx)
			require.ErrorIs(t, err, context.Canceled)
			want := []string{"up"}
			if call != "up" {
				want = append(until(call), "diagnose "+first, "remove "+first)
			}
			require.Equal(t, append(want, torn()...), f.calls)
			for _, cleaning := range f.done {
				_, bounded := cleaning.Deadline()
				require.True(t, bounded, "a cleanup that hangs does not keep the user waiting")
			}
			require.Equal(t, result.Inconclusive, res.Verdict)
			require.Contains(t, res.Reasons, "the run was interrupted")
			require.Equal(t, exit.Interrupted, judge.ExitCode(ctx, res.Verdict, err))
			kept, err := result.ReadFile(filepath.Join(dir, "result.json"))
			require.NoError(t, err)
			require.True(t, kept.Run.Partial)
		})
	}
}

// TestAChartThatIsUnfit is a finding about its topology: the verdict is FAIL, its diagnostics are
// saved before it is removed, and the run goes on with the next topology.
func TestAChartThatIsUnfit(t *testing.T) {
	t.Parallel()
	for call, finding := range map[string]string{
		"install " + first:   "lifecycle/install",
		"seed " + first:      "lifecycle/provision",
		"scenarios " + first: "",
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			f, r := newFake(t)
			f.fail[call] = target.UnfitError{Err: errors.New("1 error occurred:\n\t* it stays sealed\n\n  hint: look")}
			if finding == "" { // a scenario that does not return
				f.fail[call] = scenario.ErrAbandoned
				f.outcomes[0].Status, f.outcomes[0].Reason = result.Failed, "it did not return"
				finding = f.outcomes[0].ID
			}
			res, _, err := r.Run(t.Context())
			require.NoError(t, err)
			require.Equal(t, slices.Concat(until(call), []string{"diagnose " + first, "remove " + first}),
				f.calls[:len(until(call))+2])
			require.Contains(t, f.calls, "drive "+second)
			require.Equal(t, torn(), f.calls[len(f.calls)-2:])
			require.Equal(t, result.Fail, res.Verdict)
			require.Equal(t, exit.Fail, judge.ExitCode(t.Context(), res.Verdict, err))
			require.False(t, res.Run.Partial)
			found := res.Topologies[0].Scenarios
			last := found[len(found)-1]
			require.Equal(t, finding, last.ID)
			require.Equal(t, result.Failed, last.Status)
			require.NotContains(t, last.Reason, "\n")
			require.NotContains(t, last.Reason, "hint")
		})
	}
}

// TestAFailedScenario is a finding, too: load follows, and then the diagnostics.
func TestAFailedScenario(t *testing.T) {
	t.Parallel()
	f, r := newFake(t)
	r.Plan.Topologies = []string{first}
	f.outcomes[0].Status, f.outcomes[0].Reason = result.Failed, "a stranger got it"
	res, _, err := r.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, slices.Concat([]string{"up", "target " + first + ", the last"}, exercised(first),
		[]string{"diagnose " + first, "remove " + first}, torn()), f.calls)
	require.Equal(t, result.Fail, res.Verdict)
}

// TestAnInterruptDoesNotHideAFailure: what had failed by then is the verdict.
func TestAnInterruptDoesNotHideAFailure(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f, r := newFake(t)
	f.outcomes[0].Status, f.outcomes[0].Reason = result.Failed, "a stranger got it"
	f.interrupt = func(call string) {
		if call == "drive "+first {
			cancel()
		}
	}
	res, _, err := r.Run(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, result.Fail, res.Verdict)
	require.Contains(t, res.Reasons, "the run was interrupted")
	require.Equal(t, exit.Fail, judge.ExitCode(ctx, res.Verdict, err))
}

// TestARemovalThatFails ends the run, and keeps nothing else from being removed.
func TestARemovalThatFails(t *testing.T) {
	t.Parallel()
	stuck := exit.Environmentf("namespace", "", "a finalizer holds it")
	for _, call := range []string{"remove " + first, "remove cluster"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			f, r := newFake(t)
			f.fail[call] = stuck
			res, _, err := r.Run(t.Context())
			require.ErrorIs(t, err, stuck)
			require.Equal(t, torn(), f.calls[len(f.calls)-2:])
			require.Equal(t, call == "remove "+first, res.Run.Partial)
			require.Equal(t, result.Inconclusive, res.Verdict)
			require.Equal(t, exit.Environment, judge.ExitCode(t.Context(), res.Verdict, err))
		})
	}
}

// TestInvalidInputLeavesNothing: what only the engine or the cluster could refuse is no run.
func TestInvalidInputLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"up", "target " + first} {
		f, r := newFake(t)
		f.fail[call] = exit.Invalidf("--cluster x", "choose another", "taken")
		res, dir, err := r.Run(t.Context())
		require.Equal(t, exit.Invalid, exit.CodeOf(err), call)
		require.Nil(t, res, call)
		require.Empty(t, dir, call)
		require.Equal(t, torn(), f.calls[len(f.calls)-2:], call)
		left, err := os.ReadDir(r.Plan.Output)
		require.NoError(t, err)
		require.Empty(t, left, call)
	}
}

// TestAPanicCleansUp: a defect of Steamer leaves no cluster behind.
func TestAPanicCleansUp(t *testing.T) {
	t.Parallel()
	f, r := newFake(t)
	f.interrupt = func(call string) {
		if call == "seed "+first {
			panic("a defect")
		}
	}
	require.Panics(t, func() { _, _, _ = r.Run(t.Context()) })
	require.Equal(t, append([]string{"remove " + first}, torn()...), f.calls[len(f.calls)-3:])
}

func TestAnOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	f, r := newFake(t)
	r.Plan.Output = "/proc/nowhere"
	_, _, err := r.Run(t.Context())
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	require.ErrorContains(t, err, "--output-dir /proc/nowhere")
	require.Empty(t, f.calls)
}

// TestRounds shows what the rounds of a repeated suite came to.
func TestRounds(t *testing.T) {
	t.Parallel()
	_, r := newFake(t)
	r.Plan.Repeat, r.Plan.Shuffle = 3, 9
	var notes []string
	r.UI = noted{steps.Quiet(), &notes}
	r.Suite = func(_ context.Context, _ []*scenario.Env, _ []scenario.Scenario, o scenario.Options) (
		[]result.Scenario, error,
	) {
		require.Equal(t, 3, o.Repeat)
		require.EqualValues(t, 9, o.Shuffle)
		o.Round(2, []result.Scenario{{Status: result.Passed}, {Status: result.Skipped}}, 90*time.Second)
		return nil, nil
	}
	_, _, err := r.Run(t.Context())
	require.NoError(t, err)
	require.Contains(t, notes, fmt.Sprintf("round %d of %d: 1 passed, 0 failed, 1 skipped, in 1m30s", 2, 3))
}

// noted keeps the notes.
type noted struct {
	steps.UI
	notes *[]string
}

func (n noted) Note(line string) { *n.notes = append(*n.notes, line) }

// TestTheServerIsTriedOnce: what the first topology tried of the server is left out in the second,
// unless that has another OpenBao.
func TestTheServerIsTriedOnce(t *testing.T) {
	t.Parallel()
	server := scenario.Scenario{ID: "access/a", Subject: scenario.SubjectServer}
	chart := scenario.Scenario{ID: "config/a", Subject: scenario.SubjectChart}
	for name, c := range map[string]struct {
		first  result.Status
		second string // OpenBao of the second topology
		want   string
	}{
		"passed":        {result.Passed, "2.4.0", result.Elsewhere + first},
		"failed":        {result.Failed, "2.4.0", result.Elsewhere + first},
		"skipped":       {result.Skipped, "2.4.0", ""},
		"other version": {result.Passed, "2.6.2", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, r := newFake(t)
			for name, version := range map[string]string{first: "2.4.0", second: c.second} {
				f.measured[name] = target.Info{Name: name, Versions: map[string]string{"openbao": version}}
			}
			var reasons [][2]string
			r.Suite = func(_ context.Context, _ []*scenario.Env, _ []scenario.Scenario, o scenario.Options) (
				[]result.Scenario, error,
			) {
				if o.Elsewhere == nil { // nothing came before
					o.Elsewhere = func(scenario.Scenario) string { return "" }
				}
				reasons = append(reasons, [2]string{o.Elsewhere(server), o.Elsewhere(chart)})
				return []result.Scenario{
					{ID: server.ID, Subject: server.Subject, Status: c.first, Reason: "r"}, {ID: chart.ID, Status: result.Passed},
				}, nil
			}
			_, _, err := r.Run(t.Context())
			require.NoError(t, err)
			require.Equal(t, [][2]string{{}, {c.want, ""}}, reasons)
		})
	}
}
