package scenario_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// shards are environments that differ in their namespace.
func shards(t *testing.T, n int) []*scenario.Env {
	t.Helper()
	var all []*scenario.Env
	for i := range n {
		one := env(t)
		one.Namespace = fmt.Sprint(i + 1)
		all = append(all, one)
	}
	return all
}

// lasting is a scenario that is expected to take some seconds, and does f.
func lasting(id string, seconds int, f test) scenario.Scenario {
	s := sc(id, false, f)
	s.Expected, s.Budget = time.Duration(seconds)*time.Second, time.Minute
	return s
}

// diary writes down what begins where, and what went on beside it.
type diary struct {
	mu     sync.Mutex
	order  []string // "ID@namespace"
	inside map[string]bool
	beside map[string][]string
}

// during is a scenario's test that is written down for as long as f takes; f may be nil.
func (d *diary) during(id string, f func()) test {
	return func(_ context.Context, _ scenario.T, e *scenario.Env) {
		d.mu.Lock()
		d.order = append(d.order, id+"@"+e.Namespace)
		for other := range d.inside {
			d.beside[id], d.beside[other] = append(d.beside[id], other), append(d.beside[other], id)
		}
		d.inside[id] = true
		d.mu.Unlock()
		if f != nil {
			f()
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.inside, id)
	}
}

func newDiary() *diary { return &diary{inside: map[string]bool{}, beside: map[string][]string{}} }

// TestDealing: two installations take the longest first, each scenario runs once, what needs the
// cluster alone comes after, and what searches for leaks runs last, on each.
func TestDealing(t *testing.T) {
	t.Parallel()
	d := newDiary()
	var together sync.WaitGroup // the two longest are only done when both have begun
	together.Add(2)
	meet := func() { together.Done(); together.Wait() }
	alone := lasting("a/alone", 90, d.during("a/alone", nil))
	alone.Alone = "it drains the node"
	leaks := lasting("a/leaks", 1, d.during("a/leaks", nil))
	leaks.Kind = scenario.Hygiene
	list := []scenario.Scenario{
		leaks, alone, lasting("a/short", 1, d.during("a/short", nil)), lasting("a/long", 30, d.during("a/long", meet)),
		lasting("a/longest", 40, d.during("a/longest", meet)), lasting("a/middle", 20, d.during("a/middle", nil)),
	}
	out, err := scenario.RunShards(t.Context(), shards(t, 2), list, scenario.Options{})
	require.NoError(t, err)
	for i, s := range out {
		require.Equal(t, list[i].ID, s.ID, "results keep the order of the list")
		require.Equal(t, result.Passed, s.Status, s.ID)
		require.False(t, s.Started.IsZero())
		require.Equal(t, s.ID != "a/leaks", s.Shard > 0, "%s ran on shard %d", s.ID, s.Shard)
	}
	require.Equal(t, "it drains the node", out[1].Alone)
	require.Len(t, d.order, 7)
	var ids []string
	for _, entry := range d.order {
		id, _, _ := strings.Cut(entry, "@")
		ids = append(ids, id)
	}
	require.ElementsMatch(t, []string{"a/longest", "a/long"}, ids[:2])
	require.Equal(t, "a/alone", ids[4])
	require.ElementsMatch(t, []string{"a/leaks@1", "a/leaks@2"}, d.order[5:])
	require.Empty(t, d.beside["a/alone"])
	require.Contains(t, d.beside["a/long"], "a/longest")
}

// TestOneInstallationKeepsTheOrder, whatever its scenarios are expected to take.
func TestOneInstallationKeepsTheOrder(t *testing.T) {
	t.Parallel()
	d := newDiary()
	var list []scenario.Scenario
	for i, id := range []string{"a/one", "a/two", "a/three"} {
		list = append(list, lasting(id, i, d.during(id, nil)))
	}
	list[1].Alone = "it drains the node"
	out, err := scenario.Run(t.Context(), env(t), list, scenario.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"a/one@", "a/two@", "a/three@"}, d.order)
	require.Zero(t, out[0].Shard)
}

// TestBudgetOfShards: installations that share the machine have a budget for each of them.
func TestBudgetOfShards(t *testing.T) {
	t.Parallel()
	var budget time.Duration
	list := []scenario.Scenario{lasting("a/one", 1, func(ctx context.Context, t scenario.T, _ *scenario.Env) {
		end, _ := ctx.Deadline()
		budget = time.Until(end)
	})}
	for n, want := range map[int]time.Duration{1: time.Minute, 3: 3 * time.Minute} {
		_, err := scenario.RunShards(t.Context(), shards(t, n), list, scenario.Options{})
		require.NoError(t, err)
		require.InDelta(t, want.Seconds(), budget.Seconds(), 10, n)
	}
}

// TestShuffledShards: with a seed the scenarios are dealt out in its order, not by length.
func TestShuffledShards(t *testing.T) {
	t.Parallel()
	var list []scenario.Scenario
	d := newDiary()
	for i := range 12 {
		id := fmt.Sprintf("a/n%d", i)
		list = append(list, lasting(id, i, d.during(id, nil)))
	}
	out, err := scenario.RunShards(t.Context(), shards(t, 2), list, scenario.Options{Shuffle: 7, Repeat: 2})
	require.NoError(t, err)
	require.Len(t, out, 24)
	require.Len(t, d.order, 24)
	seen := map[string]int{}
	for _, s := range out {
		seen[s.ID]++
	}
	for id, n := range seen {
		require.Equal(t, 2, n, id)
	}
	require.Equal(t, 1, out[0].Round)
	require.Equal(t, 2, out[12].Round)
	began := slices.Clone(out[:12])
	slices.SortFunc(began, func(a, b result.Scenario) int { return a.Started.Compare(b.Started) })
	require.False(t, slices.IsSortedFunc(began, func(a, b result.Scenario) int {
		return strings.Compare(fmt.Sprintf("%6s", b.ID), fmt.Sprintf("%6s", a.ID))
	}), "the longest came first")
}

// TestAloneAcrossTopologies: two suites on one cluster. What needs it alone waits for both, and so
// does a load.
func TestAloneAcrossTopologies(t *testing.T) {
	t.Parallel()
	stage, d := scenario.NewStage(), newDiary()
	var group sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		var list []scenario.Scenario
		for i := range 8 {
			id := fmt.Sprintf("%s/n%d", name, i)
			s := lasting(id, i, d.during(id, nil))
			if i%3 == 0 {
				s.Alone = "it drains the node"
			}
			list = append(list, s)
		}
		group.Go(func() {
			out, err := scenario.RunShards(t.Context(), shards(t, 2), list, scenario.Options{Stage: stage, Repeat: 3})
			if err != nil || len(out) != 24 {
				t.Errorf("%d results, %v", len(out), err)
			}
		})
	}
	for i := range 5 {
		group.Go(func() {
			leave, err := stage.Enter(t.Context(), true)
			if err != nil {
				t.Error(err)
				return
			}
			defer leave()
			load := fmt.Sprintf("load/%d", i)
			d.during(load, nil)(t.Context(), nil, &scenario.Env{})
		})
	}
	group.Wait()
	require.Len(t, d.order, 2*24+5)
	for id, others := range d.beside {
		require.NotContains(t, id, "load", others)
		for _, alone := range []string{"/n0", "/n3", "/n6"} {
			require.NotContains(t, id, alone, others)
		}
	}
}

// TestFailureInAShard has the text that it has on one installation, and keeps no other from
// running.
func TestFailureInAShard(t *testing.T) {
	t.Parallel()
	fail := func(_ context.Context, t scenario.T, _ *scenario.Env) { t.Errorf("a stranger got it") }
	list := []scenario.Scenario{
		lasting("a/bad", 2, fail),
		lasting("a/good", 1, func(context.Context, scenario.T, *scenario.Env) {}),
	}
	var shown []string
	o := scenario.Options{Progress: func(_ scenario.Scenario, r *result.Scenario) {
		if r != nil {
			shown = append(shown, fmt.Sprintf("%s %s %t", r.ID, r.Status, r.Shard > 0))
		}
	}}
	many, err := scenario.RunShards(t.Context(), shards(t, 3), list, o)
	require.NoError(t, err)
	one, err := scenario.Run(t.Context(), env(t), list, scenario.Options{})
	require.NoError(t, err)
	require.Equal(t, one[0].Reason, many[0].Reason)
	require.Equal(t, []result.Status{result.Failed, result.Passed}, []result.Status{many[0].Status, many[1].Status})
	require.ElementsMatch(t, []string{"a/bad failed true", "a/good passed true"}, shown)
}

// TestLeakInOneShard: what runs on each installation fails where one finds something, which the
// reason names.
func TestLeakInOneShard(t *testing.T) {
	t.Parallel()
	leaks := sc("a/leaks", false, func(_ context.Context, t scenario.T, e *scenario.Env) {
		t.Measure("searched_bytes", 5)
		if e.Namespace == "2" {
			t.Errorf("a value in a log")
		}
	})
	leaks.Kind = scenario.Hygiene
	out, err := scenario.RunShards(t.Context(), shards(t, 3), []scenario.Scenario{leaks}, scenario.Options{})
	require.NoError(t, err)
	require.Equal(t, result.Failed, out[0].Status)
	require.Equal(t, "shard 2: a value in a log", out[0].Reason)
	require.EqualValues(t, 15, out[0].Measured["searched_bytes"])
}

// TestInterruptInShards: all that runs ends, what has not begun is skipped, and what had failed
// by then has failed.
func TestInterruptInShards(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var begun atomic.Int32
	block := func(ctx context.Context, t scenario.T, _ *scenario.Env) {
		if begun.Add(1) == 2 {
			cancel()
		}
		<-ctx.Done()
		t.Errorf("cut short")
	}
	fail := func(_ context.Context, t scenario.T, _ *scenario.Env) { t.Errorf("a stranger got it") }
	alone := lasting("a/alone", 1, fail)
	alone.Alone = "it drains the node"
	out, err := scenario.RunShards(ctx, shards(t, 2), []scenario.Scenario{
		lasting("a/failed", 9, fail), lasting("a/first", 5, block), lasting("a/second", 4, block),
		lasting("a/third", 3, fail), alone,
	}, scenario.Options{})
	require.NoError(t, err)
	require.Equal(t, result.Failed, out[0].Status)
	for _, s := range out[1:] {
		require.Equal(t, result.Skipped, s.Status, s.ID)
		require.True(t, s.Untried, s.ID)
		require.Equal(t, scenario.Interrupted, s.Reason, s.ID)
	}
}

// TestDisturbed: a measurement that could not be judged beside others is taken again alone, and
// that one counts; one that fails for another reason is not.
func TestDisturbed(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	begun, other := make(chan struct{}), make(chan struct{})
	measure := func(ctx context.Context, t scenario.T, e *scenario.Env) {
		end := e.WatchMachine(ctx)
		if tries.Add(1) == 1 {
			close(begun)
			<-other // it runs beside this one
		}
		if why := end(); why != "" {
			t.Void("9 s without an answer, while %s", why)
			return
		}
		t.Errorf("9 s without an answer")
	}
	list := []scenario.Scenario{
		lasting("a/measured", 2, measure),
		lasting("a/other", 1, func(context.Context, scenario.T, *scenario.Env) {
			<-begun
			close(other)
		}),
	}
	out, err := scenario.RunShards(t.Context(), shards(t, 2), list, scenario.Options{})
	require.NoError(t, err)
	require.EqualValues(t, 2, tries.Load())
	require.Equal(t, result.Failed, out[0].Status)
	require.Equal(t, "9 s without an answer", out[0].Reason)
	require.Contains(t, out[0].Log[0], "beside other scenarios: 9 s without an answer, while other scenarios ran")
}

// TestWhatAnotherTopologyTried comes after what it could not have tried.
func TestWhatAnotherTopologyTried(t *testing.T) {
	t.Parallel()
	d := newDiary()
	server := sc("a/server", true, d.during("a/server", nil))
	server.Subject = scenario.SubjectServer
	list := []scenario.Scenario{server, lasting("a/chart", 1, d.during("a/chart", nil))}
	asked := func(s scenario.Scenario) string {
		if s.ID == "a/server" && len(d.order) != 1 {
			return "too early"
		}
		return ""
	}
	out, err := scenario.Run(t.Context(), env(t), list, scenario.Options{Elsewhere: asked, Stage: scenario.NewStage()})
	require.NoError(t, err)
	require.Equal(t, result.Passed, out[0].Status, out[0].Reason)
}

// TestSchedule: recorded seconds, else those of the kind; what names no scenario is refused.
func TestSchedule(t *testing.T) {
	t.Parallel()
	list := []scenario.Scenario{sc("a/known", false, nil), sc("a/new", false, nil)}
	list[1].Kind = scenario.Fault
	require.NoError(t, scenario.Schedule(list, []byte("a/known: 12.5")))
	require.Equal(t, []time.Duration{12500 * time.Millisecond, 10 * time.Second},
		[]time.Duration{list[0].Expected, list[1].Expected})
	require.Equal(t, 22500*time.Millisecond, scenario.Work(list))
	require.ErrorContains(t, scenario.Schedule(list, []byte("a/gone: 1")), "a/gone")
	require.Error(t, scenario.Schedule(list, []byte("a/known: often")))
}

// logs counts how often they were forgotten.
type logs int

func (*logs) Each(func(string, io.Reader) error) ([]string, error) { return nil, nil }

func (l *logs) Forget() { *l++ }
