package capacity

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/targettest"
)

const slo = `apiVersion: steamer/v1
kind: SLO
name: test
environmentLatency: 0
entries:
  - openbao: ">=2.4.0"
    tier: [150]
    topology: any
    limits:
      - {metric: fetch_mean_ms, op: "<=", limit: 20, source: test}
`

func options(t *testing.T) Options {
	t.Helper()
	s, err := judge.ParseSLO("test", []byte(slo))
	require.NoError(t, err)
	o := Default()
	o.SLO, o.HostCPUs, o.Start, o.Max = s, 2, 50, 3200
	return o
}

// queue answers as a server with one queue would (M/M/1: the mean time is 1/(capacity-rate)), for
// the search to be tested on what is known. change may spoil an observation; it hears how often a
// rate was run.
type queue struct {
	targettest.Fake
	capacity float64
	change   func(rate float64, times int, o *target.Observation) error
	runs     map[float64]int
}

func (q *queue) Drive(_ context.Context, job target.Job) (target.Observation, error) {
	if q.runs == nil {
		q.runs = map[float64]int{}
	}
	q.runs[job.Rate]++
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	seconds := time.Duration(job.Profile.Duration).Seconds()
	warm := time.Duration(job.Profile.Warmup).Seconds()
	achieved := min(job.Rate, q.capacity)
	mean := 10_000.0
	if job.Rate < q.capacity {
		mean = 1000 / (q.capacity - job.Rate)
	}
	d := result.Distribution{Count: int64(achieved * seconds), Mean: mean, P50: 0.7 * mean, P95: 3 * mean, P99: 4.6 * mean}
	l := &result.Load{
		Mode: "inline", OfferedRate: job.Rate, AchievedRate: achieved, Start: start, WarmupSeconds: warm,
		MeasuredSeconds: seconds,
		Fetches:         d.Count, Intended: d, Actual: d, Generator: result.Generator{CPUShare: 0.05},
		Extra: map[string]float64{},
	}
	for i := range int(warm + seconds) {
		phase := "measure"
		if float64(i) < warm {
			phase = "warmup"
		}
		l.Series = append(l.Series, result.Interval{Offset: float64(i), Phase: phase, Fetches: int64(achieved), P50: d.P50})
	}
	samples := func(cores float64) []result.ResourceSample {
		return []result.ResourceSample{{At: start}, {At: start.Add(time.Hour), CPUCores: cores, MemoryMiB: 200}}
	}
	o := target.Observation{
		Topology: result.Topology{
			Name: "queue", Versions: map[string]string{"openbao": "2.4.0"}, Load: l,
			Resources: []result.ResourceSeries{
				{Component: "openbao", Name: "a", CPULimit: 1, Samples: samples(achieved / q.capacity)},
				{Component: "postgresql", Name: "b", Samples: samples(0.2)},
			},
		},
		Pool: &target.PoolUse{Limit: 8, Busy: 2, Samples: 40},
	}
	if q.change != nil {
		return o, q.change(job.Rate, q.runs[job.Rate], &o)
	}
	return o, nil
}

// TestSearch finds the capacity of a queue: the objective of 20 ms is met up to 50/s below what it
// can do.
func TestSearch(t *testing.T) {
	t.Parallel()
	for _, capacity := range []float64{80, 333, 1000, 2000} {
		r, err := Search(t.Context(), &queue{capacity: capacity}, options(t))
		require.NoError(t, err)
		require.Equal(t, result.Pass, r.Verdict, r.Reasons)
		require.True(t, r.Confirmed)
		require.Len(t, r.Confirmations, 3)
		truth := capacity - 50
		require.LessOrEqual(t, r.Held, truth)
		require.Greater(t, r.Broken, truth)
		require.LessOrEqual(t, r.Broken/r.Held, 1.1+1e-9)
		require.InDelta(t, 0.368, r.HoldsLower, 0.001, "0.05^(1/3)")
		require.Equal(t, "OpenBao's CPU", r.Saturated[0].Resource)
	}
}

// second multiplies the medians of the second half.
func second(o *target.Observation, factor float64) error {
	l := o.Topology.Load
	for i := range l.Series {
		l.Series[i].P50 = 40
		if l.Series[i].Offset >= l.WarmupSeconds+l.MeasuredSeconds/2 {
			l.Series[i].P50 *= factor
		}
	}
	return nil
}

func TestSearchEndings(t *testing.T) {
	t.Parallel()
	const capacity = 1000
	for name, c := range map[string]struct {
		capacity float64
		options  func(*Options)
		change   func(rate float64, times int, o *target.Observation) error
		verdict  result.Verdict
		reason   string
		err      error
	}{
		"the generator comes first": {capacity, nil, func(rate float64, _ int, o *target.Observation) error {
			if rate > 300 {
				o.Topology.Load.Generator.CPUShare = 0.5
			}
			return nil
		}, result.Inconclusive, "the load generator was saturated", errGenerator},
		"a wrong value": {capacity, nil, func(_ float64, _ int, o *target.Observation) error {
			o.Topology.Load.Wrong = 1
			return nil
		}, result.Fail, "a fetch got a wrong value", errWrong},
		"disturbed each time": {capacity, nil, func(_ float64, _ int, o *target.Observation) error {
			o.Topology.Events = []result.Event{{Kind: "restart", At: o.Topology.Load.Start.Add(5 * time.Second), Detail: "x"}}
			return nil
		}, result.Inconclusive, "disturbed twice", nil},
		"disturbed once": {capacity, nil, func(_ float64, times int, o *target.Observation) error {
			if times == 1 {
				o.Topology.Resources = nil
			}
			return nil
		}, result.Pass, "capacity", nil},
		"stumbles once at each rate": {capacity, nil, func(rate float64, times int, o *target.Observation) error {
			if times == 1 && rate < capacity {
				o.Topology.Load.Dropped = 1
			}
			return nil
		}, result.Pass, "capacity", nil},
		"warm only in the end": {
			capacity, nil, func(_ float64, _ int, o *target.Observation) error { return second(o, 0.4) },
			result.Pass, "capacity", nil,
		},
		"ever slower": {
			capacity, nil, func(_ float64, _ int, o *target.Observation) error { return second(o, 2.5) },
			result.Fail, "not even", nil,
		},
		"a crowded machine": {capacity, nil, func(_ float64, _ int, o *target.Observation) error {
			others := 1.2
			o.Others, o.Strangers = &others, &others
			return nil
		}, result.Inconclusive, "other processes used 1.2", nil},
		"never breaks": {capacity, func(o *Options) { o.Max = 400 }, nil, result.Inconclusive, "raise --max", nil},
		"less than asked for": {
			capacity, func(o *Options) { o.AtLeast = 960 }, nil, result.Fail,
			"below the 960/s asked for", nil,
		},
		"halves until it fits": {90, func(o *Options) { o.Start = 100 }, nil, result.Pass, "capacity", nil},
		"no rate holds":        {10, nil, nil, result.Fail, "not even", nil},
		"the driver fails": {capacity, nil, func(rate float64, _ int, o *target.Observation) error {
			if rate > 100 {
				return errors.New("k6 is gone")
			}
			return nil
		}, result.Inconclusive, "k6 is gone", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			if c.options != nil {
				c.options(&o)
			}
			r, err := Search(t.Context(), &queue{capacity: c.capacity, change: c.change}, o)
			require.Equal(t, c.verdict, r.Verdict, r.Reasons)
			require.Contains(t, strings.Join(r.Reasons, "\n"), c.reason)
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
			}
		})
	}
}

// TestCandidateBreaks lowers the candidate when a confirmation breaks.
func TestCandidateBreaks(t *testing.T) {
	t.Parallel()
	broken := 0.0
	r, err := Search(t.Context(), &queue{capacity: 1000, change: func(rate float64, _ int, o *target.Observation) error {
		if o.Topology.Load.MeasuredSeconds > 20 && (broken == 0 || rate == broken) {
			broken = rate
			o.Topology.Load.Intended.Mean = 100
		}
		return nil
	}}, options(t))
	require.NoError(t, err)
	require.Equal(t, result.Pass, r.Verdict)
	require.Less(t, r.Held, broken)
	require.Equal(t, broken, r.Broken)
}

// TestNoCandidateHolds: what is reported as held is a rate that held.
func TestNoCandidateHolds(t *testing.T) {
	t.Parallel()
	r, err := Search(t.Context(), &queue{capacity: 1000, change: func(_ float64, _ int, o *target.Observation) error {
		if o.Topology.Load.MeasuredSeconds > 20 {
			o.Topology.Load.Intended.Mean = 100
		}
		return nil
	}}, options(t))
	require.ErrorContains(t, err, "too restless")
	require.Equal(t, result.Inconclusive, r.Verdict)
	require.True(t, slices.ContainsFunc(r.Points, func(p Point) bool { return p.Rate == r.Held && p.Outcome == Held }),
		"%g", r.Held)
	require.Less(t, r.Held, r.Broken)
}

// TestInterrupted keeps what was measured.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := Search(ctx, &queue{capacity: 1000, change: func(rate float64, _ int, _ *target.Observation) error {
		if rate > 150 {
			cancel()
			return ctx.Err()
		}
		return nil
	}}, options(t))
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, r.Partial)
	require.Equal(t, result.Inconclusive, r.Verdict)
	require.Equal(t, []string{"the search was interrupted"}, r.Reasons)
	require.Len(t, r.Points, 3)
	require.True(t, r.Points[2].Partial)
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Options){
		"start": func(o *Options) { o.Start = 0 }, "max": func(o *Options) { o.Max = 10 },
		"nan":        func(o *Options) { o.Start = math.NaN() },
		"resolution": func(o *Options) { o.Resolution = 0 }, "trial": func(o *Options) { o.Trial = time.Second },
		"confirm": func(o *Options) { o.Confirm = time.Second }, "confirmations": func(o *Options) { o.Confirmations = 2 },
		"mode": func(o *Options) { o.Mode = "telepathy" }, "tier": func(o *Options) { o.Tier = "7" },
		"slo":      func(o *Options) { o.SLO = nil },
		"at least": func(o *Options) { o.AtLeast = -1 },
	} {
		o := options(t)
		change(&o)
		q := &queue{capacity: 100}
		_, err := Search(t.Context(), q, o)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), name)
		require.Empty(t, q.runs, "nothing was driven")
	}
}

// TestBlame: a run that broke by chance just above the capacity does not hide what limits further
// up.
func TestBlame(t *testing.T) {
	t.Parallel()
	at := func(rate, cores float64, outcome Outcome) Point {
		return Point{Rate: rate, Outcome: outcome, OpenBao: Component{Cores: cores, Busiest: cores, Limit: 4}}
	}
	for name, c := range map[string]struct {
		points    []Point
		rate      float64
		saturated bool
	}{
		"nothing ran":    {nil, 0, false},
		"nothing broke":  {[]Point{at(50, 0.5, Held), at(100, 1.9, Held)}, 100, true},
		"where it broke": {[]Point{at(200, 2, outcomeBroken), at(100, 1.8, outcomeBroken), at(50, 1, Held)}, 100, true},
		"further up": {[]Point{
			at(400, 2, outcomeBroken), at(200, 1.9, outcomeBroken), at(200, 1.9, outcomeDisturbed), at(100, 1, outcomeBroken),
			at(50, 1.9, Held),
		}, 200, true},
		"a wait":            {[]Point{at(200, 1, outcomeBroken), at(100, 1, outcomeBroken), at(50, 1, Held)}, 100, false},
		"disturbed is none": {[]Point{at(200, 2, outcomeDisturbed), at(100, 1, outcomeBroken), at(50, 1, Held)}, 100, false},
	} {
		suspects, rate := blame(c.points, 2)
		require.InDelta(t, c.rate, rate, 0, name)
		require.Equal(t, c.saturated, len(suspects) > 0 && suspects[0].Saturated, name)
	}
}

func TestSaturation(t *testing.T) {
	t.Parallel()
	free := Point{OpenBao: Component{Cores: 0.3, Busiest: 0.3, Limit: 1}, PostgreSQL: Component{Cores: 0.1, Busiest: 0.1}}
	for name, c := range map[string]struct {
		change func(*Point)
		first  string // "" when nothing is saturated
	}{
		"nothing":   {func(*Point) {}, ""},
		"cpu":       {func(p *Point) { p.OpenBao.Busiest = 0.9 }, "OpenBao's CPU"},
		"throttled": {func(p *Point) { p.OpenBao.Throttled = 0.3 }, "OpenBao's CPU"},
		"database":  {func(p *Point) { p.PostgreSQL.Busiest, p.PostgreSQL.Cores = 1.8, 1.8 }, "PostgreSQL's CPU"},
		"pool": {
			func(p *Point) { p.Pool = &target.PoolUse{Limit: 5, Busy: 4.6, FullShare: 0.7, Samples: 40} },
			"OpenBao's pool of database connections",
		},
		"unseen": {func(p *Point) { p.OpenBao = Component{Unknown: true, Busiest: 0.9, Limit: 1} }, ""},
		"host":   {func(p *Point) { p.Generator = 1.5 }, "the host's CPUs"},
	} {
		p := free
		c.change(&p)
		got := saturation(p, 2)
		require.Equal(t, c.first != "", got[0].Saturated, name)
		if c.first != "" {
			require.Equal(t, c.first, got[0].Resource, name)
		}
	}
}

func TestKnee(t *testing.T) {
	t.Parallel()
	var bent, straight []Point
	for _, rate := range []float64{100, 200, 300, 400, 500} {
		bent = append(bent, Point{Rate: rate, P95: 5 + 0.01*rate + math.Pow(10, (rate-400)/50)})
		straight = append(straight, Point{Rate: rate, P95: rate})
	}
	rate, ok := knee(bent)
	require.True(t, ok)
	require.InDelta(t, 400, rate, 1)
	_, ok = knee(straight)
	require.False(t, ok)
	_, ok = knee(bent[:3])
	require.False(t, ok)
}
