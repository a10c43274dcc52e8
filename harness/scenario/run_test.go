package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type test = func(context.Context, scenario.T, *scenario.Env)

func sc(id string, parallel bool, f test) scenario.Scenario {
	return scenario.Scenario{
		ID: id, Subject: scenario.SubjectChart, Title: "t", Protects: "p", Source: "s", Kind: scenario.Functional,
		Budget: 200 * time.Millisecond, Parallel: parallel, Test: f,
	}
}

func env(t *testing.T) *scenario.Env {
	t.Helper()
	issuer, err := gitlab.NewIssuer("http://127.0.0.1:1", gitlab.ES256)
	require.NoError(t, err)
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	tenants, err := gitlab.Plan(recipes, 2, 2)
	require.NoError(t, err)
	return &scenario.Env{
		Topology: "cloud-native", Address: "http://127.0.0.1:1", Issuer: issuer, Audience: "aud",
		Tenants: tenants, Seed: "planted-seed", Timeouts: scenario.Timeouts{Grace: 50 * time.Millisecond},
	}
}

// TestRunOutcomes runs one scenario for each way to end.
func TestRunOutcomes(t *testing.T) {
	t.Parallel()
	e := env(t)
	canary := e.Tenants[0].Value(e.Seed, e.Tenants[0].Secrets[0])
	release := make(chan struct{})
	for name, c := range map[string]struct {
		test   test
		mod    func(*scenario.Scenario)
		status result.Status
		reason string
	}{
		"pass": {func(_ context.Context, t scenario.T, _ *scenario.Env) { t.Logf("fine") }, nil, result.Passed, ""},
		"void": {func(_ context.Context, t scenario.T, _ *scenario.Env) {
			t.Void("the machine slept")
		}, nil, result.Skipped, "the machine slept"},
		"a failure beside a void": {func(_ context.Context, t scenario.T, _ *scenario.Env) {
			t.Void("the machine slept")
			t.Errorf("a wrong value")
		}, nil, result.Failed, "a wrong value"},
		"errorf goes on": {func(_ context.Context, t scenario.T, _ *scenario.Env) {
			t.Errorf("first")
			t.Errorf("second")
		}, nil, result.Failed, "first"},
		"require ends it": {func(_ context.Context, t scenario.T, _ *scenario.Env) {
			require.Equal(t, 1, 2, "numbers")
			panic("not reached")
		}, nil, result.Failed, "Not equal"},
		"not allowed": {func(_ context.Context, t scenario.T, _ *scenario.Env) {
			require.NoError(t, errors.New(`pods "p" is forbidden: User "jane" cannot create resource "pods/eviction" in API group ""`))
		}, nil, result.Skipped, result.NotAllowed},
		"the chart's own rights": {func(_ context.Context, t scenario.T, _ *scenario.Env) {
			t.Errorf(`log: pods is forbidden: User "system:serviceaccount:steamer-cn:openbao" cannot patch resource "pods"`)
		}, nil, result.Failed, "cannot patch"},
		"FailNow alone": {
			func(_ context.Context, t scenario.T, _ *scenario.Env) { t.FailNow() }, nil, result.Failed,
			"without a message",
		},
		"panic": {func(context.Context, scenario.T, *scenario.Env) { panic("oh") }, nil, result.Failed, "panic: oh"},
		"nil map panic": {
			func(context.Context, scenario.T, *scenario.Env) { func(m map[int]int) { m[1] = 1 }(nil) }, nil,
			result.Failed, "run_test.go",
		},
		"secret in failure": {func(_ context.Context, t scenario.T, _ *scenario.Env) {
			require.Equal(t, "x", canary)
		}, nil, result.Failed, secret.Redacted},
		"budget": {
			func(ctx context.Context, _ scenario.T, _ *scenario.Env) { <-ctx.Done() }, nil, result.Failed,
			"budget of 200ms passed",
		},
		"stuck": {
			func(context.Context, scenario.T, *scenario.Env) { <-release }, nil, result.Failed,
			"did not return",
		},
		"topology": {
			nil, func(s *scenario.Scenario) { s.Topologies = []string{"cloud-native-hybrid"} }, result.Skipped,
			"topology cloud-native",
		},
		"no cluster": {
			nil, func(s *scenario.Scenario) { s.Features = []scenario.Feature{scenario.FeatureCluster} },
			result.Skipped, "Kubernetes",
		},
		"no GitLab": {
			nil, func(s *scenario.Scenario) { s.Features = []scenario.Feature{scenario.FeatureStack} },
			result.Skipped, "--gitlab-url",
		},
		"no such change": {
			nil, func(s *scenario.Scenario) { s.Features = []scenario.Feature{scenario.Change("pod-label")} },
			result.Skipped, "change pod-label",
		},
		"no enforcing": {
			func(_ context.Context, t scenario.T, _ *scenario.Env) {
				t.Skip("the CNI enforces no NetworkPolicy, %s", canary)
				t.Errorf("not reached")
			}, nil, result.Skipped, "no NetworkPolicy, " + secret.Redacted,
		},
		"skipped after a failure": {func(_ context.Context, t scenario.T, _ *scenario.Env) {
			t.Errorf("a wrong value")
			t.Skip("it does not apply")
		}, nil, result.Failed, "a wrong value"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sc("group/name", false, c.test)
			if c.test == nil {
				s.Test = func(_ context.Context, t scenario.T, _ *scenario.Env) { t.Errorf("ran") }
			}
			if c.mod != nil {
				c.mod(&s)
			}
			out, err := scenario.Run(t.Context(), e, []scenario.Scenario{s}, scenario.Options{})
			if name == "stuck" {
				require.ErrorIs(t, err, scenario.ErrAbandoned)
			} else {
				require.NoError(t, err)
			}
			require.Len(t, out, 1)
			require.Equal(t, c.status, out[0].Status, out[0].Reason)
			require.Contains(t, out[0].Reason, c.reason)
			require.NotContains(t, out[0].Reason, canary)
			for _, line := range out[0].Log {
				require.NotContains(t, line, canary)
			}
		})
	}
	close(release)
}

// TestRunOrder checks that serial scenarios see no other, and that results and
// progress are complete and ordered.
func TestRunOrder(t *testing.T) {
	t.Parallel()
	var running, most atomic.Int32
	meet := make(chan struct{})
	parallel := func(ctx context.Context, t scenario.T, _ *scenario.Env) {
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		select { // rendezvous: each needs the other to go on
		case meet <- struct{}{}:
		case <-meet:
		case <-ctx.Done():
			t.Errorf("alone")
		}
		t.Measure("x_seconds", 1.5)
	}
	serial := func(_ context.Context, t scenario.T, _ *scenario.Env) {
		if running.Add(1) != 1 {
			t.Errorf("not alone")
		}
		running.Add(-1)
	}
	var started, ended int
	out, err := scenario.Run(t.Context(), env(t), []scenario.Scenario{
		sc("a/serial", false, serial), sc("a/one", true, parallel), sc("b/serial", false, serial),
		sc("b/two", true, parallel),
	}, scenario.Options{Progress: func(_ scenario.Scenario, r *result.Scenario) {
		if r == nil {
			started++
		} else {
			ended++
		}
	}})
	require.NoError(t, err)
	ids := []string{}
	for _, r := range out {
		require.Equal(t, result.Passed, r.Status, r.Reason)
		ids = append(ids, r.ID)
	}
	require.Equal(t, []string{"a/serial", "a/one", "b/serial", "b/two"}, ids)
	require.Equal(t, map[string]float64{"x_seconds": 1.5}, out[1].Measured)
	require.Equal(t, []int{4, 4}, []int{started, ended})
}

func TestRunCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	out, err := scenario.Run(ctx, env(t), []scenario.Scenario{
		sc("a/one", false, func(ctx context.Context, t scenario.T, _ *scenario.Env) {
			cancel()
			<-ctx.Done()
			t.Errorf("too late")
		}),
		sc("a/two", false, func(_ context.Context, t scenario.T, _ *scenario.Env) { t.Errorf("ran") }),
	}, scenario.Options{})
	require.NoError(t, err)
	for _, r := range out {
		require.Equal(t, result.Skipped, r.Status)
		require.Equal(t, scenario.Interrupted, r.Reason)
	}
}

// TestRepeatAndShuffle runs a list five times: each round is complete and numbered, and a seed
// makes one order for each round.
func TestRepeatAndShuffle(t *testing.T) {
	t.Parallel()
	orders := func(shuffle uint64) [][]string {
		var ran []string
		var list []scenario.Scenario
		for _, id := range []string{"a/a", "a/b", "a/c", "a/d", "a/e", "a/f"} {
			list = append(list, sc(id, false, func(context.Context, scenario.T, *scenario.Env) { ran = append(ran, id) }))
		}
		var called []int
		searched := new(logs)
		e := env(t)
		e.Logs = searched
		out, err := scenario.Run(t.Context(), e, list, scenario.Options{
			Repeat: 5, Shuffle: shuffle, Round: func(number int, outcome []result.Scenario, _ time.Duration) {
				require.Equal(t, number, outcome[len(outcome)-1].Round)
				require.EqualValues(t, number-1, *searched, "a round forgets after its report")
				called = append(called, number)
			},
		})
		require.Equal(t, []int{1, 2, 3, 4, 5}, called)
		require.NoError(t, err)
		require.Len(t, out, 5*len(list))
		var rounds [][]string
		for i, r := range out {
			require.Equal(t, i/len(list)+1, r.Round)
			require.Equal(t, ran[i], r.ID, "results are in the order of the runs")
			if i%len(list) == 0 {
				rounds = append(rounds, ran[i:i+len(list)])
			}
		}
		for _, round := range rounds {
			require.ElementsMatch(t, rounds[0], round)
		}
		return rounds
	}
	plain, one, again, two := orders(0), orders(1), orders(1), orders(2)
	require.Equal(t, []string{"a/a", "a/b", "a/c", "a/d", "a/e", "a/f"}, plain[4])
	require.Equal(t, one, again)
	require.NotEqual(t, one, two)
	require.NotEqual(t, one[0], one[1])
}

// TestCapture saves diagnostics of what failed, and of the first few only.
func TestCapture(t *testing.T) {
	t.Parallel()
	e := env(t)
	canary := e.Tenants[0].Value(e.Seed, e.Tenants[0].Secrets[0])
	var captured []string
	e.Capture = func(_ context.Context, id string) (scenario.Captured, error) {
		captured = append(captured, id)
		return scenario.Captured{Files: []string{"events of " + id}, Crashes: []string{"panic: " + canary}},
			errors.New("no log of " + canary)
	}
	list := []scenario.Scenario{sc("group/fine", false, func(context.Context, scenario.T, *scenario.Env) {})}
	for i := range 7 {
		list = append(list, sc(fmt.Sprintf("group/bad-%d", i), false, func(_ context.Context, t scenario.T,
			_ *scenario.Env,
		) {
			t.Errorf("bad")
		}))
	}
	out, err := scenario.Run(t.Context(), e, list, scenario.Options{})
	require.NoError(t, err)
	require.Len(t, captured, 5)
	require.NotContains(t, captured, "group/fine")
	require.Equal(t, []string{"events of group/bad-0"}, out[1].Artifacts)
	require.Equal(t, "bad; panic: "+secret.Redacted, out[1].Reason)
	require.Contains(t, strings.Join(out[1].Log, "\n"), "diagnostics: no log of "+secret.Redacted)
	require.Empty(t, out[7].Artifacts)
}

// TestInterruptAfterFailure cancels a run while a scenario is at work: what had failed by then has
// failed, and what fails because of it has not.
func TestInterruptAfterFailure(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		test   func(context.Context, scenario.T, func())
		status result.Status
		reason string
	}{
		"failed, then interrupted": {func(ctx context.Context, t scenario.T, interrupt func()) {
			t.Errorf("a wrong value")
			interrupt()
			<-ctx.Done()
		}, result.Failed, "a wrong value"},
		"failed, interrupted, failed again": {func(_ context.Context, t scenario.T, interrupt func()) {
			t.Errorf("a wrong value")
			interrupt()
			t.Errorf("context canceled")
		}, result.Failed, "a wrong value"},
		"interrupted, then failed": {func(ctx context.Context, t scenario.T, interrupt func()) {
			interrupt()
			<-ctx.Done()
			t.Errorf("context canceled")
		}, result.Skipped, scenario.Interrupted},
		"late, then interrupted": {func(ctx context.Context, _ scenario.T, interrupt func()) {
			<-ctx.Done()
			interrupt()
		}, result.Failed, "the budget of 200ms passed"},
		"interrupted and fine": {
			func(_ context.Context, _ scenario.T, interrupt func()) { interrupt() }, result.Skipped,
			scenario.Interrupted,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			e := env(t)
			e.Capture = func(context.Context, string) (scenario.Captured, error) {
				t.Error("an interrupt must not wait for diagnostics")
				return scenario.Captured{}, nil
			}
			out, err := scenario.Run(ctx, e, []scenario.Scenario{
				sc("a/one", false, func(ctx context.Context, t scenario.T, _ *scenario.Env) { tc.test(ctx, t, cancel) }),
			}, scenario.Options{})
			require.NoError(t, err)
			require.Equal(t, tc.status, out[0].Status)
			require.Contains(t, out[0].Reason, tc.reason)
			require.Equal(t, tc.status == result.Failed, out[0].Tried())
		})
	}
}

// TestAbandonedEnvironment lets a scenario not return: nothing else is begun on its environment,
// in no round, and Run returns an error.
func TestAbandonedEnvironment(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	out, err := scenario.Run(t.Context(), env(t), []scenario.Scenario{
		sc("a/first", false, func(context.Context, scenario.T, *scenario.Env) {}),
		sc("a/stuck", false, func(context.Context, scenario.T, *scenario.Env) { <-release }),
		sc("a/next", false, func(_ context.Context, t scenario.T, _ *scenario.Env) { t.Errorf("ran beside the stuck one") }),
	}, scenario.Options{Repeat: 2})
	require.ErrorIs(t, err, scenario.ErrAbandoned)
	require.ErrorContains(t, err, "a/stuck")
	require.Len(t, out, 6)
	for i, want := range []result.Status{
		result.Passed, result.Failed, result.Skipped, result.Skipped, result.Skipped,
		result.Skipped,
	} {
		require.Equal(t, want, out[i].Status, "%d: %s", i, out[i].Reason)
		if want == result.Skipped {
			require.Contains(t, out[i].Reason, "a/stuck did not return")
			require.False(t, out[i].Tried())
		}
	}
}

// TestSurroundingsExcuse lets scenarios fail while something is wrong with what surrounds the
// chart.
func TestSurroundingsExcuse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind scenario.Kind
		why  string
		want result.Status
	}{
		{scenario.Lifecycle, "node a: DiskPressure", result.Skipped},
		{scenario.Fault, "node a: DiskPressure", result.Skipped},
		{scenario.Functional, "node a: DiskPressure", result.Skipped},
		{scenario.Abuse, "node a: DiskPressure", result.Failed},
		{scenario.Hygiene, "node a: DiskPressure", result.Failed},
		{scenario.Lifecycle, "", result.Failed},
	} {
		e := env(t)
		e.Surroundings = func(context.Context) string { return tc.why }
		s := sc("a/one", false, func(_ context.Context, t scenario.T, _ *scenario.Env) { t.Errorf("not ready") })
		s.Kind = tc.kind
		out, err := scenario.Run(t.Context(), e, []scenario.Scenario{s}, scenario.Options{})
		require.NoError(t, err)
		require.Equal(t, tc.want, out[0].Status, "%s %s", tc.kind, tc.why)
		if tc.want == result.Skipped {
			require.False(t, out[0].Tried())
			require.Contains(t, out[0].Reason, tc.why)
			require.Contains(t, out[0].Log, "it had failed: not ready")
		}
	}
}
