package compare

import (
	"context"
	"math"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/local"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// short is a design of half a minute. It is too small for a verdict, which a test beside others
// could not rely on anyway.
func short() Design {
	d := DefaultDesign()
	d.Where, d.Rate, d.Slice, d.Warmup, d.Idle, d.Tenants, d.Secrets = "local", 20, 3, 1, 0.1, 2, 1
	d.InterimEvery, d.MaxPairs, d.Budget = 4, 4, 0
	d.GateMetrics = gates(0.1, "fetch_mean_ms")
	return d
}

// local2 is an engine of two targets that run as processes. Close it when done.
func local2(a, b local.Spec) *Engine {
	side := func(what string, spec local.Spec) Side {
		return Side{Description: what, Open: func(ctx context.Context) (target.Target, error) { return local.Open(ctx, spec) }}
	}
	return &Engine{A: side("base", a), B: side("head", b)}
}

// TestLocal compares real OpenBao processes: the same configuration behind a proxy
// that delays B by 500 ms. It sees the delay, the cost and the ends of the processes.
func TestLocal(t *testing.T) {
	defer goleak.VerifyNone(t)
	g := target.Generator{K6: loadtest.K6(t), Scripts: "../../perf/scripts", Dir: t.TempDir()}
	a := local.Spec{Generator: g, Secrets: 1, Delays: true}
	b := a
	b.Server.Patch = []byte(`[{"op": "replace", "path": "/storage/postgresql/max_parallel", "value": "4"}]`)
	// The test runs beside others: what it looks for survives noise that a measurement must not
	// have.
	tolerant := judge.Validity{MinAchieved: 0.9, MaxGeneratorCPU: 1, MaxDrift: 20}
	const delay = 500 * time.Millisecond
	saves := 0
	e := local2(a, b)
	e.Validity, e.Log = tolerant, func(line string) { t.Log(line) }
	e.Save = func(*Comparison) error { saves++; return nil }
	defer func() { require.NoError(t, e.Close(context.Background())) }()
	c := New("local", short())
	require.NoError(t, e.Prepare(t.Context(), c))
	require.NoError(t, e.Head().(target.Delayer).SetDelay(delay))
	c.A, c.B = e.Subjects()
	require.InDelta(t, 500, c.B.Delay, 1e-9)
	require.Contains(t, c.B.Config, "sha256:")
	require.NotEqual(t, "", c.A.Versions["openbao"])

	require.NoError(t, e.Drive(t.Context(), c))
	t.Log(c.Verdict, c.Reasons)
	require.NotEqual(t, result.Pass, c.Verdict, "%v", c.Reasons)
	require.Len(t, c.Pairs, 4)
	require.Equal(t, 3, saves, "after each block, and at the end")
	watched := 0
	for _, p := range c.Pairs {
		require.Zero(t, p.A.Failed+p.B.Failed+p.A.Wrong+p.B.Wrong)
		for _, s := range []Slice{p.A, p.B} {
			if len(s.Invalid) > 0 {
				continue // a busy machine kept the slice from being watched, and the comparison says so
			}
			watched++
			require.Greater(t, s.Achieved, 10.0)
			require.Positive(t, s.Values["openbao_cpu_ms_per_fetch"])
			require.Positive(t, s.Values["postgresql_cpu_ms_per_fetch"])
			require.Positive(t, s.Values["openbao_memory_mib"])
		}
	}
	require.Positive(t, watched)
	delayed(t, c.Pairs, delay)

	byTurns := New("turns", short())
	byTurns.Design.Turns, byTurns.Design.Slice = true, 1
	require.NoError(t, e.Drive(t.Context(), byTurns))
	require.Len(t, byTurns.Pairs, 4)
	observed := 0
	for _, p := range byTurns.Pairs {
		require.Zero(t, p.A.Failed+p.B.Failed+p.A.Wrong+p.B.Wrong)
		require.Equal(t, p.Order == "AB", p.A.Start.Before(p.B.Start), "the slices are told apart by their order: %s",
			p.Order)
		if p.A.Values["openbao_cpu_ms_per_fetch"] > 0 {
			observed++
		}
	}
	require.Positive(t, observed)
	delayed(t, byTurns.Pairs, delay)
}

// delayed asks that every slice of B has the delay in it, which no noise takes away, and that A
// has a slice without.
func delayed(t *testing.T, pairs []Pair, by time.Duration) {
	t.Helper()
	ms := float64(by.Milliseconds())
	quickest := math.Inf(1)
	for _, p := range pairs {
		require.GreaterOrEqual(t, p.B.Values["fetch_p50_ms"], 0.99*ms)
		quickest = min(quickest, p.A.Values["fetch_p50_ms"])
	}
	require.Less(t, quickest, 0.95*ms)
}

// TestLocalUnfit gives B a configuration that OpenBao does not start with.
func TestLocalUnfit(t *testing.T) {
	t.Parallel()
	e := local2(local.Spec{Secrets: 1}, local.Spec{Server: localbao.Options{Patch: []byte(
		`[{"op": "replace", "path": "/storage", "value": {"nonsense": {}}}]`)}})
	defer func() { require.NoError(t, e.Close(context.Background())) }()
	c := New("unfit", short())
	require.NoError(t, e.Prepare(t.Context(), c))
	require.NoError(t, e.Drive(t.Context(), c))
	require.Equal(t, result.Fail, c.Verdict)
	require.Contains(t, c.Reasons[0], "A comes up and B does not")
	require.Empty(t, c.Pairs)
}

// TestLocalFunctional runs scenarios on two real servers, of which B names its host in every
// answer: a scenario that asks for that not to be fails with B alone, is repeated, and decides,
// whatever the pairs say.
func TestLocalFunctional(t *testing.T) {
	t.Parallel()
	runs := map[string]int{}
	var mu sync.Mutex
	list := []scenario.Scenario{
		{
			ID: "access/fetch", Subject: scenario.SubjectServer, Title: "t", Protects: "p", Source: "s",
			Kind: scenario.Functional, Budget: time.Minute,
			Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
				require.NoError(t, env.Check(ctx, env.Tenants[0], env.Tenants[0].Secrets[0]))
			},
		},
		{
			ID: "config/no-host", Subject: scenario.SubjectServer, Title: "t", Protects: "p", Source: "s",
			Kind: scenario.Functional, Budget: time.Minute,
			Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
				mu.Lock()
				runs[env.Address]++
				mu.Unlock()
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, env.Address+"/v1/sys/health", nil)
				require.NoError(t, err)
				answer, err := http.DefaultClient.Do(request)
				require.NoError(t, err)
				require.NoError(t, answer.Body.Close())
				require.Empty(t, answer.Header.Get("X-Vault-Hostname"))
			},
		},
		{
			ID: "lifecycle/on-a-cluster", Subject: scenario.SubjectChart, Title: "t", Protects: "p", Source: "s",
			Kind: scenario.Functional, Budget: time.Minute,
			Features: []scenario.Feature{scenario.FeatureCluster}, Test: func(context.Context, scenario.T, *scenario.Env) {},
		},
	}
	e := local2(local.Spec{Secrets: 1}, local.Spec{Secrets: 1, Server: localbao.Options{Patch: []byte(
		`[{"op": "add", "path": "/enable_response_header_hostname", "value": true}]`)}})
	e.Scenarios = list
	defer func() { require.NoError(t, e.Close(context.Background())) }()
	c := New("functional", short())
	c.Design.MaxPairs, c.Design.InterimEvery = MinPairs, MinPairs
	require.NoError(t, e.Prepare(t.Context(), c))
	require.NoError(t, e.functional(t.Context(), c))
	Judge(c, nil)
	require.Equal(t, result.Fail, c.Verdict)
	require.Contains(t, c.Reasons[0], "scenario config/no-host passes with A and fails with B")
	require.Len(t, runs, 2)
	for address, times := range runs {
		require.Equal(t, 2, times, "it was repeated on %s", address)
	}
	require.Equal(t, []result.Status{result.Passed, result.Passed}, []result.Status{c.Functional[0].A, c.Functional[0].B})
	require.True(t, c.Functional[1].Twice)
	require.Equal(t, result.Skipped, c.Functional[2].A)
	data, err := Encode(c)
	require.NoError(t, err)
	_, err = Decode("again", data)
	require.NoError(t, err)
	c.Functional[0].A = "green"
	_, err = Encode(c)
	require.ErrorContains(t, err, "unknown status")
}

// TestLocalInterrupted cancels a comparison in its first slice.
func TestLocalInterrupted(t *testing.T) {
	t.Parallel()
	spec := local.Spec{Secrets: 1, Generator: target.Generator{
		K6: "/nowhere/k6", Scripts: "../../perf/scripts", Dir: t.TempDir(),
	}}
	e := local2(spec, spec)
	defer func() { require.NoError(t, e.Close(context.Background())) }()
	c := New("interrupted", short())
	require.NoError(t, e.Prepare(t.Context(), c))
	require.ErrorContains(t, e.Drive(t.Context(), c), "/nowhere/k6", "a generator that is missing is nobody's regression")
	require.True(t, c.Partial)
	require.Equal(t, result.Inconclusive, c.Verdict)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, e.Drive(ctx, c), context.Canceled)
	require.Equal(t, result.Inconclusive, c.Verdict)
}
