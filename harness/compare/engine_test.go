package compare

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/targettest"
)

// driven is an observation of a slice whose median latency is p50 ms.
func driven(job target.Job, p50 float64) target.Observation {
	at, length := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Duration(job.Profile.Duration)
	n := int64(job.Rate * length.Seconds())
	d := result.Distribution{Count: n, Mean: p50, P50: p50, P90: p50, P95: p50, P99: p50}
	l := &result.Load{
		OfferedRate: job.Rate, AchievedRate: job.Rate, Start: at, MeasuredSeconds: length.Seconds(), Fetches: n, Intended: d,
		Actual: d, Extra: map[string]float64{}, Generator: result.Generator{CPUShare: 0.05},
	}
	for i := range int(length.Seconds()) {
		l.Series = append(l.Series, result.Interval{Offset: float64(i), Phase: "measure", Fetches: int64(job.Rate), P50: p50})
	}
	used := []result.ResourceSample{{At: at}, {At: at.Add(time.Hour), CPUCores: 0.1, MemoryMiB: 100}}
	return target.Observation{Topology: result.Topology{Load: l, Resources: []result.ResourceSeries{
		{Component: "openbao", Name: "a", Samples: used}, {Component: "postgresql", Name: "b", Samples: used},
	}}}
}

// pair is an engine of two fakes that write down who was driven.
func pair(a, b *targettest.Fake) (e *Engine, order *strings.Builder) {
	order = &strings.Builder{}
	for name, fake := range map[string]*targettest.Fake{A: a, B: b} {
		if fake.OnDrive == nil {
			fake.OnDrive = func(job target.Job) (target.Observation, error) {
				order.WriteString(name)
				return driven(job, 5), nil
			}
		}
	}
	open := func(f *targettest.Fake) func(context.Context) (target.Target, error) {
		return func(context.Context) (target.Target, error) { return f, nil }
	}
	return &Engine{A: Side{"base", open(a)}, B: Side{"head", open(b)}, Validity: judge.DefaultValidity()}, order
}

// quick is a design without pauses, with few pairs between interim analyses.
func quick(pairs int) Design {
	d := DefaultDesign()
	d.Idle, d.Budget, d.MaxPairs, d.InterimEvery = 0, 0, pairs, MinPairs
	d.GateMetrics = gates(0.1, "fetch_p50_ms")
	return d
}

// TestEngine: both sides are provisioned and driven in blocks of ABBA or BAAB with names of their
// own, each block is saved, and both are closed.
func TestEngine(t *testing.T) {
	t.Parallel()
	a, b := &targettest.Fake{Described: target.Info{Config: "sha256:x", Delay: 2 * time.Millisecond, CPUs: 0.5}},
		&targettest.Fake{Described: target.Info{Chart: result.Chart{Name: "openbao"}}}
	e, order := pair(a, b)
	saves := 0
	e.Save = func(*Comparison) error { saves++; return nil }
	c := New("fakes", quick(20))
	require.NoError(t, e.Prepare(t.Context(), c))
	require.Len(t, a.Tenants(), c.Design.Tenants)
	require.Equal(t, Subject{Description: "base", Config: "sha256:x", Delay: 2, CPUs: 0.5}, c.A)
	require.Equal(t, "openbao", c.B.Chart.Name)
	require.NoError(t, e.Drive(t.Context(), c))
	require.Equal(t, result.Pass, c.Verdict, c.Reasons)
	require.False(t, c.Partial)
	require.Equal(t, len(c.Pairs)/2+1, saves, "after each block, and at the end")
	driven := order.String()
	require.Len(t, driven, 2*len(c.Pairs))
	for ; driven != ""; driven = driven[4:] {
		require.Contains(t, []string{"ABBA", "BAAB"}, driven[:4])
	}
	names := map[string]bool{}
	for _, job := range append(a.Jobs, b.Jobs...) {
		names[job.Name] = true
		require.Equal(t, c.Design.Rate, job.Rate)
	}
	require.Len(t, names, 2*len(c.Pairs))
	require.NoError(t, e.Close(t.Context()))
	require.NoError(t, e.Close(t.Context()))
	require.Equal(t, []int{1, 1}, []int{a.Closed, b.Closed})
}

// TestEngineFails: a slice that cannot be driven ends the comparison, which keeps what it has.
func TestEngineFails(t *testing.T) {
	t.Parallel()
	a, b := &targettest.Fake{}, &targettest.Fake{}
	n := 0
	b.OnDrive = func(job target.Job) (target.Observation, error) {
		if n++; n > 3 {
			return target.Observation{}, errors.New("no more disk")
		}
		return driven(job, 5), nil
	}
	e, _ := pair(a, b)
	c := New("fakes", quick(20))
	require.NoError(t, e.Prepare(t.Context(), c))
	require.ErrorContains(t, e.Drive(t.Context(), c), "slice 004-B: no more disk")
	require.True(t, c.Partial)
	require.Equal(t, result.Inconclusive, c.Verdict)
	require.Len(t, c.Pairs, 2+len(c.Pairs)%2)

	c.Design.Turns = true
	require.ErrorContains(t, e.Drive(t.Context(), c), "cannot be driven by turns")
}

// TestEngineUnfit: a side that does not come up or cannot be provisioned is a finding, an
// environment that fails is an error, and what was open is closed.
func TestEngineUnfit(t *testing.T) {
	t.Parallel()
	broken := errors.New("no PostgreSQL")
	for name, tc := range map[string]struct {
		open, grow error
		unfit      string
		fails      bool
	}{
		"does not start":        {open: target.UnfitError{Err: broken}, unfit: "no PostgreSQL"},
		"cannot be seeded":      {grow: target.UnfitError{Err: broken}, unfit: "no PostgreSQL"},
		"the environment":       {open: broken, fails: true},
		"the seed is stopped":   {grow: broken, fails: true},
		"everything is healthy": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := &targettest.Fake{}, &targettest.Fake{}
			if tc.grow != nil {
				b.OnGrow = func(int, int) (*result.Seed, target.Observation, error) {
					return nil, target.Observation{}, tc.grow
				}
			}
			e, _ := pair(a, b)
			if tc.open != nil {
				e.B.Open = func(context.Context) (target.Target, error) { return nil, tc.open }
			}
			c := New("fakes", quick(6))
			err := e.Prepare(t.Context(), c)
			if tc.fails {
				require.ErrorIs(t, err, broken)
				require.ErrorContains(t, err, "arm B")
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, tc.unfit, c.B.Unfit)
			require.NoError(t, e.Close(t.Context()))
			require.Equal(t, tc.open == nil, b.Closed == 1)
			require.LessOrEqual(t, a.Closed, 1)
		})
	}
}

// TestEngineInterrupted: the comparison ends in its pause.
func TestEngineInterrupted(t *testing.T) {
	t.Parallel()
	e, _ := pair(&targettest.Fake{}, &targettest.Fake{})
	d := quick(6)
	d.Idle = 3600
	c := New("fakes", d)
	require.NoError(t, e.Prepare(t.Context(), c))
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(cancel)
	require.ErrorIs(t, e.Drive(ctx, c), context.Canceled)
	group.Wait()
	require.Empty(t, c.Pairs)
	require.True(t, c.Partial)
}
