package findings

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/local"
	"gitlab.com/steamer/steamer/harness/target/targettest"
)

// seen is an observation of a second at some fetches per second.
func seen(rate float64) target.Observation {
	at, others := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 0.2
	used := []result.ResourceSample{{At: at}, {At: at.Add(time.Second / 2), CPUCores: 0.5, Throttled: 0.1}, {
		At: at.Add(time.Second), CPUCores: 0.5,
	}}
	return target.Observation{
		Topology: result.Topology{
			Load: &result.Load{
				Start: at, MeasuredSeconds: 1, Fetches: int64(rate), AchievedRate: rate,
				Series: []result.Interval{{Phase: "measure", Fetches: int64(rate)}},
			},
			Resources: []result.ResourceSeries{{Component: "openbao", Samples: used}, {Component: "postgresql", Samples: used}},
		},
		Pool: &target.PoolUse{FullShare: 0.5, Opened: 10, Samples: 4}, Others: &others,
	}
}

// TestRun drives fakes in turns, backwards in every second round, and closes each. What cannot be
// read ends the experiment.
func TestRun(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*target.Observation)
		err    string
		wrong  bool
	}{
		"whole":         {},
		"a wrong value": {func(o *target.Observation) { o.Topology.Load.Wrong = 1 }, "a fetch got a wrong value", true},
		"no host":       {func(o *target.Observation) { o.Others = nil }, "its CPU time was not read", false},
		"no pool":       {func(o *target.Observation) { o.Pool = nil }, "were not watched", false},
		"no fetch":      {func(o *target.Observation) { o.Topology.Load.Fetches = 0 }, "no fetch was completed", false},
		"failed":        {func(o *target.Observation) { o.Topology.Load.Failed = 3 }, "3 of 50 fetches failed", false},
		"no processes":  {func(o *target.Observation) { o.Topology.Resources = nil }, "was not sampled", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var order []string
			var fakes []*targettest.Fake
			open := func(_ context.Context, spec local.Spec) (target.Target, error) {
				mu.Lock()
				defer mu.Unlock()
				pool, rate := string(spec.Server.Patch), 100.0
				if pool == "" {
					rate = 50
				}
				fakes = append(fakes, &targettest.Fake{
					Described: target.Info{Versions: map[string]string{"openbao": "2.4.0"}, Limited: "none"},
					OnDrive: func(job target.Job) (target.Observation, error) {
						order = append(order, job.Name)
						o := seen(rate)
						if tc.change != nil {
							tc.change(&o)
						}
						return o, nil
					},
				})
				return fakes[len(fakes)-1], nil
			}
			e := Experiment{ID: "x", Rounds: 6, Load: Load{Tenants: 3}, Arms: []Arm{
				{Name: "a"}, {Name: "b", Config: []map[string]any{{"op": "test"}}},
			}, Expect: []Expectation{{Finding: "f", Of: "b", Over: "a", Metric: "throughput", AtLeast: 1.5}}}
			o, err := Run(t.Context(), open, e, func(string) {})
			require.Len(t, fakes, 2)
			for _, fake := range fakes {
				require.Equal(t, 1, fake.Closed)
				require.Len(t, fake.Tenants(), 3)
			}
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				require.Contains(t, o.Partial, tc.err)
				require.Equal(t, tc.wrong, o.Wrong)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []string{"x-0-0", "x-1-0", "x-1-1", "x-0-1", "x-0-2"}, order[:5])
			require.Equal(t, "2.4.0", o.OpenBao)
			require.Equal(t, "none", o.Arms[1].Limited)
			require.True(t, o.Found[0].OK, o.Found[0].Explains)
			s := o.Arms[1].Slices[0]
			require.Equal(t, []float64{100, 5, 5, 100, 0.5, 0.05, 0.2},
				[]float64{s.Throughput, s.OpenBao, s.PostgreSQL, s.Opened, s.PoolFull, s.Throttled, s.Others})
		})
	}
}

// TestRunStops: what was opened is closed also where another arm does not open, and a storm's
// target after each round.
func TestRunStops(t *testing.T) {
	t.Parallel()
	first := &targettest.Fake{}
	opened := make(chan struct{})
	open := func(_ context.Context, spec local.Spec) (target.Target, error) {
		if spec.Server.Patch != nil {
			<-opened
			return nil, errors.New("no more disk")
		}
		defer close(opened)
		return first, nil
	}
	e := Experiment{ID: "x", Rounds: 6, Load: Load{Tenants: 1}, Arms: []Arm{
		{Name: "a"}, {Name: "b", Config: []map[string]any{{"op": "test"}}},
	}}
	o, err := Run(t.Context(), open, e, func(string) {})
	require.ErrorContains(t, err, "arm b: no more disk")
	require.Contains(t, o.Partial, "no more disk")
	require.Equal(t, 1, first.Closed)

	var stormed []*targettest.Fake
	e.Storm = &Storm{Logins: 100, After: document.Duration(time.Millisecond)}
	o, err = Run(t.Context(), func(context.Context, local.Spec) (target.Target, error) {
		stormed = append(stormed, &targettest.Fake{OnDrive: func(target.Job) (target.Observation, error) {
			return seen(1), nil
		}})
		return stormed[len(stormed)-1], nil
	}, e, func(string) {})
	require.ErrorContains(t, err, "the load ended before the logins")
	require.NotEmpty(t, o.Partial)
	require.Len(t, stormed, 1)
	require.Equal(t, 1, stormed[0].Closed)
}

// TestDisturbances logs in and rotates the storage's key on a real OpenBao.
func TestDisturbances(t *testing.T) {
	ctx := t.Context()
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	on, err := local.Open(ctx, local.Spec{Recipes: recipes[:1], Secrets: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, on.Close(ctx)) }()
	_, _, err = on.Grow(ctx, 1)
	require.NoError(t, err)
	require.NoError(t, logins(ctx, on, 20))

	rotating, stop := context.WithCancel(ctx)
	var n int
	var group errgroup.Group
	group.Go(func() (err error) {
		n, err = rotate(rotating, on, 10*time.Millisecond)
		return err
	})
	require.Eventually(t, func() bool {
		env, done, err := on.Env()
		require.NoError(t, err)
		defer done()
		r, err := env.Rails(ctx, "GET", "sys/key-status", nil)
		require.NoError(t, err)
		var key struct{ Term int }
		require.NoError(t, json.Unmarshal(r.Data, &key), r.Message())
		return key.Term > 2
	}, time.Minute, 20*time.Millisecond)
	stop()
	require.NoError(t, group.Wait())
	require.Positive(t, n)
}
