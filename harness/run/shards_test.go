package run_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target"
)

// inShards is newFake with two installations of each topology, and both topologies at once where
// there is no load.
func inShards(t *testing.T, load bool) (*fakePlatform, *run.Runner) {
	t.Helper()
	f, r := newFake(t)
	f.layout = platform.Layout{Shards: 2, Together: !load}
	r.Plan.Load = load
	return f, r
}

// before reports whether a call comes before another.
func before(calls []string, first, second string) bool {
	i, j := slices.Index(calls, first), slices.Index(calls, second)
	return i >= 0 && j >= 0 && i < j
}

// TestShards: the installations of both topologies are made side by side, share one suite for each
// topology, and go.
func TestShards(t *testing.T) {
	t.Parallel()
	f, r := inShards(t, false)
	var both sync.WaitGroup // both suites run at once
	both.Add(2)
	suite := r.Suite
	r.Suite = func(ctx context.Context, envs []*scenario.Env, list []scenario.Scenario, o scenario.Options) (
		[]result.Scenario, error,
	) {
		if len(envs) != 2 || o.Stage == nil {
			t.Errorf("%d installations, stage %v", len(envs), o.Stage)
		}
		both.Done()
		both.Wait()
		return suite(ctx, envs, list, o)
	}
	res, _, err := r.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, result.Pass, res.Verdict, res.Reasons)
	require.Len(t, res.Topologies, 2)
	for _, name := range []string{first, second} {
		for _, one := range []string{name, name + "/2"} {
			for _, call := range []string{"target %s, the last", "install %s", "seed %s", "environment %s", "remove %s"} {
				require.Contains(t, f.calls, fmt.Sprintf(call, one))
			}
			require.True(t, before(f.calls, "install "+one, "scenarios "+name))
			require.NotContains(t, f.calls, "restore "+one, "nothing follows")
		}
	}
	for _, one := range res.Topologies {
		require.Equal(t, 2, one.Shards)
		require.Equal(t, 7, one.Seed.Tenants)
		require.Equal(t, "lifecycle/install", one.Scenarios[0].ID)
	}
	require.True(t, slices.IsSortedFunc(res.Steps, func(a, b result.Step) int { return a.Started.Compare(b.Started) }))
	require.Equal(t, torn(), f.calls[len(f.calls)-2:])
}

// TestALoadIsBesideNothing: the further installations are gone before it, and the other topology
// is not there.
func TestALoadIsBesideNothing(t *testing.T) {
	t.Parallel()
	f, r := inShards(t, true)
	res, _, err := r.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, result.Pass, res.Verdict, res.Reasons)
	for _, name := range []string{first, second} {
		require.True(t, before(f.calls, "scenarios "+name, "remove "+name+"/2"))
		require.True(t, before(f.calls, "await removal "+name+"/2", "drive "+name))
		require.Contains(t, f.calls, "restore "+name)
	}
	require.True(t, before(f.calls, "drive "+first, "remove "+first))
	require.True(t, before(f.calls, "remove "+first, "install "+second))
	for _, one := range res.Topologies {
		require.Empty(t, res.Beside(&one))
	}
}

// TestAFaultOfOneShard keeps nothing of the others: their failures are the verdict.
func TestAFaultOfOneShard(t *testing.T) {
	t.Parallel()
	broken := exit.Environmentf("cluster", "make room", "the disk is full")
	unfit := target.UnfitError{Err: errors.New("it stays sealed")}
	for name, c := range map[string]struct {
		fail    map[string]error
		outcome result.Status
		verdict result.Verdict
		code    exit.Code
	}{
		"a further installation": {
			map[string]error{"install " + first + "/2": broken}, result.Passed, result.Inconclusive, exit.Inconclusive,
		},
		"and a finding": {map[string]error{"seed " + first + "/2": broken}, result.Failed, result.Fail, exit.Fail},
		"the first":     {map[string]error{"install " + first: broken}, result.Passed, result.Inconclusive, exit.Environment},
		"the first, and a finding in the other topology": {
			map[string]error{"install " + first: broken}, result.Failed, result.Fail, exit.Fail,
		},
		"the chart, seen once": {map[string]error{"install " + first + "/2": unfit}, result.Passed, result.Fail, exit.Fail},
		"the chart, and the environment": {
			map[string]error{"install " + first: broken, "install " + first + "/2": unfit},
			result.Passed, result.Fail,
			exit.Fail,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, r := inShards(t, false)
			f.fail = c.fail
			if f.outcomes[0].Status = c.outcome; c.outcome == result.Failed {
				f.outcomes[0].Reason = "a stranger got it"
			}
			res, _, err := r.Run(t.Context())
			require.Equal(t, c.verdict, res.Verdict, res.Reasons)
			require.Equal(t, c.code, judge.ExitCode(t.Context(), res.Verdict, err))
			require.Contains(t, f.calls, "scenarios "+second)
			for _, one := range []string{first, first + "/2", second, second + "/2"} {
				require.Contains(t, f.calls, "remove "+one)
			}
			require.Equal(t, torn(), f.calls[len(f.calls)-2:])
		})
	}
}

// TestAnInterruptInShards: wherever it comes, everything is removed, the cluster last.
func TestAnInterruptInShards(t *testing.T) {
	t.Parallel()
	for _, load := range []bool{false, true} {
		for _, call := range []string{
			"install " + first + "/2", "seed " + first, "scenarios " + first, "remove " + first + "/2", "drive " + first,
		} {
			if !load && strings.HasPrefix(call, "drive") {
				continue
			}
			t.Run(fmt.Sprintf("%s, load %t", call, load), func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				f, r := inShards(t, load)
				f.interrupt = func(now string) {
					if now == call {
						cancel()
					}
				}
				res, _, err := r.Run(ctx)
				require.ErrorIs(t, err, context.Canceled)
				require.Equal(t, exit.Interrupted, judge.ExitCode(ctx, res.Verdict, err))
				for _, made := range f.calls {
					if one, ok := strings.CutPrefix(made, "install "); ok {
						require.True(t, before(f.calls, "remove "+one, "remove cluster"), one)
					}
				}
				require.Equal(t, torn(), f.calls[len(f.calls)-2:])
			})
		}
	}
}

// TestAPanicInAShardCleansUp: a defect of Steamer leaves no cluster behind.
func TestAPanicInAShardCleansUp(t *testing.T) {
	t.Parallel()
	f, r := inShards(t, false)
	f.interrupt = func(call string) {
		if call == "seed "+second+"/2" {
			panic("a defect")
		}
	}
	require.Panics(t, func() { _, _, _ = r.Run(t.Context()) })
	for _, one := range []string{first, first + "/2", second, second + "/2"} {
		require.True(t, before(f.calls, "remove "+one, "remove cluster"), one)
	}
}

// TestTheServerIsTriedOnceAtATime: topologies at once try what is the server's in the first of
// them alone, and the second takes over what the first could not try.
func TestTheServerIsTriedOnceAtATime(t *testing.T) {
	t.Parallel()
	_, r := inShards(t, false)
	r.Plan.Scenarios = "^access/(own-secret|missing-policy)$"
	var mu sync.Mutex
	asked := map[string]string{}
	r.Suite = func(_ context.Context, envs []*scenario.Env, list []scenario.Scenario, o scenario.Options) (
		[]result.Scenario, error,
	) {
		var out []result.Scenario
		for i, s := range list {
			s.Subject = scenario.SubjectServer
			where := ""
			if o.Elsewhere != nil { // the second, which waits for the first
				where = o.Elsewhere(s)
			}
			one := result.Scenario{ID: s.ID, Subject: s.Subject, Status: result.Passed}
			if envs[0].Topology == second {
				mu.Lock()
				asked[s.ID] = where
				mu.Unlock()
			} else if i == 1 {
				one.Status, one.Reason = result.Skipped, "it cannot be tried here"
			}
			o.Progress(s, &one)
			out = append(out, one)
		}
		return out, nil
	}
	list, err := r.Plan.Select(all())
	require.NoError(t, err)
	require.Len(t, list, 2)
	_, _, err = r.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]string{list[0].ID: result.Elsewhere + first, list[1].ID: ""}, asked)
}

// TestTenantsOfShards: a further installation gets fewer, unless more than is usual were asked for.
func TestTenantsOfShards(t *testing.T) {
	t.Parallel()
	for asked, further := range map[int]int{7: 7, gitlab.DefaultTenants: 12, 1000: 1000} {
		f, r := inShards(t, false)
		r.Plan.Tenants = asked
		_, _, err := r.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[string]int{first: asked, first + "/2": further, second: asked, second + "/2": further}, f.seeded)
	}
}
