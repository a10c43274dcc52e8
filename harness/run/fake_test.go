package run_test

import (
	"context"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/scenarios"
)

// fakePlatform is a platform whose targets, like itself, write down what a run does with them.
type fakePlatform struct {
	mu        sync.Mutex
	layout    platform.Layout
	calls     []string
	seeded    map[string]int         // tenants by installation
	fail      map[string]error       // by call: what it returns
	interrupt func(call string)      // is called at each call; may be nil
	measured  map[string]target.Info // by topology
	load      map[string]result.Topology
	outcomes  []result.Scenario // of the suite
	done      []context.Context // of the calls that clean up
}

// call writes down a call, and returns what it has to return.
func (f *fakePlatform) call(ctx context.Context, name string) error {
	f.mu.Lock()
	f.calls = append(f.calls, name)
	f.mu.Unlock()
	if f.interrupt != nil {
		f.interrupt(name)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.fail[name]
}

// Up registers two cleanups, as a cluster on an engine does.
func (f *fakePlatform) Up(ctx context.Context, _ string, s *steps.Steps) error {
	return s.Do(ctx, "", "cluster", func(ctx context.Context) error {
		for _, name := range []string{"engine", "cluster"} {
			s.Cleanup(name, func(ctx context.Context) error { return f.finally(ctx, "remove "+name) })
		}
		return f.call(ctx, "up")
	})
}

// finally writes down a call that has to work after an interrupt.
func (f *fakePlatform) finally(ctx context.Context, name string) error {
	f.mu.Lock()
	f.done = append(f.done, ctx)
	f.mu.Unlock()
	return f.call(ctx, name)
}

func (f *fakePlatform) Describe() string { return "docker 1 (fake)" }

func (f *fakePlatform) Layout() platform.Layout { return f.layout }

func (f *fakePlatform) Target(name string, at run.Place) (run.Target, error) {
	t := &fakeTarget{f, name, name}
	if at.Number > 1 {
		t.name += "/" + strconv.Itoa(at.Number)
	}
	call := "target " + t.name
	if at.Last {
		call += ", the last"
	}
	return t, f.call(context.Background(), call)
}

// fakeTarget is one target.
type fakeTarget struct {
	*fakePlatform
	name     string // with the number of the installation where it is not the first
	topology string
}

func (t *fakeTarget) Info() target.Info { return t.measured[t.topology] }

func (t *fakeTarget) Install(ctx context.Context) error { return t.call(ctx, "install "+t.name) }

func (t *fakeTarget) Seed(ctx context.Context, total int) (*result.Seed, error) {
	t.mu.Lock()
	t.seeded[t.name] = total
	t.mu.Unlock()
	return &result.Seed{Tenants: total}, t.call(ctx, "seed "+t.name)
}

func (t *fakeTarget) Suite(ctx context.Context) (*scenario.Env, func(), error) {
	err := t.call(ctx, "environment "+t.name)
	return &scenario.Env{Topology: t.name}, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.calls = append(t.calls, "hang up "+t.name)
	}, err
}

func (t *fakeTarget) Restore(ctx context.Context) error { return t.call(ctx, "restore "+t.name) }

func (t *fakeTarget) AwaitRemoved(ctx context.Context) error {
	return t.call(ctx, "await removal "+t.name)
}

func (t *fakeTarget) Drive(ctx context.Context, job target.Job) (target.Observation, error) {
	job.Progress(result.Interval{Offset: 15})
	return target.Observation{Topology: t.load[t.name]}, t.call(ctx, "drive "+job.Name)
}

func (t *fakeTarget) Diagnose(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return t.finally(ctx, "diagnose "+t.name)
}

func (t *fakeTarget) LearnSecrets(ctx context.Context) error {
	return t.call(ctx, "learn secrets "+t.name)
}

func (t *fakeTarget) Close(ctx context.Context) error { return t.finally(ctx, "remove "+t.name) }

// objectives are those that the recorded loads are long enough for.
const objectives = `apiVersion: steamer/v1
kind: SLO
name: test
entries:
  - openbao: ">=2.4.0"
    tier: [12]
    topology: any
    limits:
      - {metric: fetch_mean_ms, op: "<=", limit: 100, source: test}
      - {metric: wrong_values, op: "<=", limit: 0, source: test}
`

// newFake returns a platform whose loads pass, and a runner of both topologies on it.
func newFake(t *testing.T) (*fakePlatform, *run.Runner) {
	t.Helper()
	recorded, err := result.ReadFile("../result/testdata/run-v1.json")
	require.NoError(t, err)
	f := &fakePlatform{
		fail: map[string]error{}, seeded: map[string]int{}, measured: map[string]target.Info{},
		load:     map[string]result.Topology{},
		outcomes: []result.Scenario{{ID: "access/own-secret", Title: "t", Protects: "p", Status: result.Passed}},
	}
	for _, one := range recorded.Topologies {
		f.load[one.Name] = one
		f.measured[one.Name] = target.Info{Name: one.Name, Chart: one.Chart, Versions: one.Versions, Images: one.Images}
	}
	slo, err := judge.ParseSLO("slo.yaml", []byte(objectives))
	require.NoError(t, err)
	tier, err := load.TierNamed("12")
	require.NoError(t, err)
	profile, err := load.ReadProfile("../../perf/profiles/smoke.yaml")
	require.NoError(t, err)
	dialect, err := topology.DialectNamed("gitlab")
	require.NoError(t, err)
	r := &run.Runner{
		Plan: &plan.Resolved{
			Plan: plan.Plan{
				Topologies: topology.Names(), Scenarios: scenario.Core, Load: true, Tenants: 7, Profile: "smoke", Tier: "12",
				Output: t.TempDir(),
			},
			Objectives: slo, Tier: tier, Profile: profile, Dialect: dialect,
		},
		Platform: f, UI: steps.Quiet(), Steamer: "test", Reproduce: "steamer run",
	}
	r.Suite = func(ctx context.Context, envs []*scenario.Env, _ []scenario.Scenario, o scenario.Options) (
		[]result.Scenario, error,
	) {
		for i := range f.outcomes {
			o.Progress(scenario.Scenario{}, &f.outcomes[i])
		}
		return slices.Clone(f.outcomes), f.call(ctx, "scenarios "+envs[0].Topology)
	}
	return f, r
}

// all are the scenarios that runs choose from.
func all() []scenario.Scenario { return scenarios.All() }
