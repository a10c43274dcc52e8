package sizing

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/targettest"
)

// linear is a target whose numbers are known lines over the namespaces, for the arithmetic to be
// tested on.
type linear struct {
	targettest.Fake
	perNS  float64 // MiB
	start  float64 // seconds
	rate   float64 // tenants per second
	load   func(*result.Load)
	failAt int
}

func (s *linear) Grow(ctx context.Context, total int) (*result.Seed, target.Observation, error) {
	s.OnGrow = func(total, n int) (*result.Seed, target.Observation, error) {
		if s.failAt > 0 && total >= s.failAt {
			return nil, target.Observation{}, errors.New("out of disk")
		}
		now := time.Now()
		used := []result.ResourceSample{
			{At: now.Add(-time.Hour)}, {At: now, CPUCores: 1000, MemoryMiB: 150}, {At: now.Add(time.Hour), CPUCores: 1000},
		}
		return &result.Seed{Tenants: n, Secrets: 4 * n, Calls: 30 * n, Seconds: float64(n) / s.rate},
			target.Observation{Topology: result.Topology{Resources: []result.ResourceSeries{
				{Component: "openbao", Samples: used},
			}}}, nil
	}
	return s.Fake.Grow(ctx, total)
}

func (s *linear) Drive(_ context.Context, job target.Job) (target.Observation, error) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	d := result.Distribution{Count: 4170, Mean: 5, P50: 4, P95: 9, P99: 12}
	l := &result.Load{
		OfferedRate: job.Rate, AchievedRate: job.Rate, Start: at, WarmupSeconds: 10, MeasuredSeconds: 30, Fetches: 4170,
		Intended:  d,
		Generator: result.Generator{CPUShare: 0.05}, Extra: map[string]float64{},
	}
	for i := range 40 {
		l.Series = append(l.Series, result.Interval{Offset: float64(i), Phase: map[bool]string{
			true:  "warmup",
			false: "measure",
		}[i < 10], Fetches: 139, P50: 4})
	}
	if s.load != nil {
		s.load(l)
	}
	memory := 120 + s.perNS*float64(countNamespaces(s.Tenants()))
	samples := []result.ResourceSample{{At: at, MemoryMiB: memory}, {
		At: at.Add(20 * time.Second), CPUCores: 1,
		MemoryMiB: memory,
	}, {At: at.Add(40 * time.Second), MemoryMiB: memory}}
	return target.Observation{Topology: result.Topology{
		Load:      l,
		Resources: []result.ResourceSeries{{Component: "openbao", Samples: samples}},
	}}, nil
}

func (s *linear) Restart(context.Context) (float64, error) {
	return 1 + s.start*float64(countNamespaces(s.Tenants())), nil
}

func (s *linear) Failover(_ context.Context, kill bool) (float64, error) {
	if kill {
		return 14, nil
	}
	return 1.5, nil
}

func (s *linear) DatabaseMiB(context.Context) (float64, error) {
	return 5 + 0.01*float64(len(s.Tenants())), nil
}

func options() Options {
	o := Default()
	o.HostCPUs = 2
	return o
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	r, err := Measure(t.Context(), &linear{perNS: 0.5, start: 0.002, rate: 20}, options())
	require.NoError(t, err)
	require.Equal(t, result.Pass, r.Verdict, r.Reasons)
	require.Equal(t, []int{50, 200, 1000}, []int{r.Steps[0].Tenants, r.Steps[1].Tenants, r.Steps[2].Tenants})
	require.Equal(t, 1200, r.Steps[2].Namespaces, "1,000 projects, five to a group")
	require.InDelta(t, 20, r.Steps[2].SeedRate, 1e-9)
	require.InDelta(t, 30, r.Steps[2].SeedCalls, 1e-9)
	require.Len(t, r.Beyond, 2)
	require.True(t, r.Beyond[0].Extrapolated)
	require.InDelta(t, 120+0.5*6000, r.Beyond[0].MemoryMiB, 1, "the line goes on to 5,000 tenants in 6,000 namespaces")
	require.InDelta(t, 1+0.002*12000, r.Beyond[1].Startup, 0.1)
}

// TestClaims breaks each published number and sees it fail, and only it.
func TestClaims(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		target  *linear
		verdict result.Verdict
	}{
		"memory of the active node": {&linear{perNS: 3, rate: 20}, result.Fail},
		"start, all nodes at once":  {&linear{start: 0.02, rate: 20}, result.Fail},
		"rate for 100,000 secrets": {&linear{rate: 20, load: func(l *result.Load) {
			l.AchievedRate,
				l.Dropped = 100, 1170
		}}, result.Fail},
		"mean latency of a fetch": {
			&linear{rate: 20, load: func(l *result.Load) { l.Intended.Mean = 21 }},
			result.Fail,
		},
		"mean latency of a fetch, at the cl": {
			&linear{rate: 20, load: func(l *result.Load) { l.Generator.CPUShare = 0.5 }},
			result.Inconclusive,
		},
		"rate for 100,000 secrets, at the sec": {&linear{rate: 20, load: func(l *result.Load) { l.Failed = 1 }}, result.Fail},
	} {
		r, err := Measure(t.Context(), c.target, options())
		require.NoError(t, err)
		require.Equal(t, c.verdict, r.Verdict, "%s: %v", title, r.Reasons)
		seen := false
		for _, claim := range r.Claims {
			if strings.HasPrefix(claim.Title, title) {
				seen = true
				require.Equal(t, c.verdict, claim.Verdict, claim)
				require.NotEmpty(t, claim.Reason)
			}
		}
		require.True(t, seen, title)
	}
}

// TestLowRate: a rate that was never asked for was not missed.
func TestLowRate(t *testing.T) {
	t.Parallel()
	o := options()
	o.Rate = 30
	r, err := Measure(t.Context(), &linear{rate: 20}, o)
	require.NoError(t, err)
	require.Equal(t, result.Inconclusive, r.Verdict, r.Reasons)
	require.Contains(t, r.Reasons[0], "only 30 fetches/s")
}

func TestWrongValueFails(t *testing.T) {
	t.Parallel()
	r, err := Measure(t.Context(), &linear{rate: 20, load: func(l *result.Load) { l.Wrong = 1 }}, options())
	require.NoError(t, err)
	require.Equal(t, result.Fail, r.Verdict)
	require.Contains(t, r.Reasons[0], "wrong value")
}

// TestBudget stops before a size that would take too long, and says so.
func TestBudget(t *testing.T) {
	t.Parallel()
	o := options()
	o.Budget = 10 * time.Minute
	r, err := Measure(t.Context(), &linear{rate: 1}, o)
	require.NoError(t, err)
	require.Len(t, r.Steps, 2, "800 tenants at one a second are more than ten minutes")
	require.Contains(t, r.NotMeasured[0], "1000 tenants")
}

// TestPartial keeps the sizes that were measured.
func TestPartial(t *testing.T) {
	t.Parallel()
	r, err := Measure(t.Context(), &linear{rate: 20, failAt: 1000}, options())
	require.ErrorContains(t, err, "out of disk")
	require.True(t, r.Partial)
	require.Equal(t, result.Inconclusive, r.Verdict)
	require.Len(t, r.Steps, 2)
	require.Empty(t, r.Beyond, "two sizes make no line")
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*Options){
		func(o *Options) { o.MaxTenants = 10 }, func(o *Options) { o.MaxTenants = 20000 }, func(o *Options) { o.Rate = 0 },
		func(o *Options) { o.Length = time.Second }, func(o *Options) { o.Budget = time.Second },
		func(o *Options) { o.Failovers = 0 },
	} {
		o := options()
		change(&o)
		_, err := Measure(t.Context(), &linear{}, o)
		require.Equal(t, exit.Invalid, exit.CodeOf(err))
	}
}

func TestLadder(t *testing.T) {
	t.Parallel()
	require.Equal(t, []int{50}, Ladder(50))
	require.Equal(t, []int{50, 60}, Ladder(60))
	require.Equal(t, []int{50, 200, 1000, 5000}, Ladder(5000))
}

// TestProvisioningLimit names what was used up.
func TestProvisioningLimit(t *testing.T) {
	t.Parallel()
	w := result.Window{From: time.Now()}
	w.To = w.From.Add(10 * time.Second)
	cpu := func(cores, limit float64) []result.ResourceSeries {
		return []result.ResourceSeries{{Component: "openbao", CPULimit: limit, Samples: []result.ResourceSample{
			{At: w.From},
			{At: w.To, CPUCores: cores},
		}}}
	}
	sessions := func(counts ...int) target.Observation {
		var d result.DatabaseUse
		for _, n := range counts {
			d.Samples = append(d.Samples, result.DatabaseSample{Connections: 8, Running: n / 2, InTx: n - n/2})
		}
		return target.Observation{Topology: result.Topology{Database: &d}}
	}
	for name, c := range map[string]struct {
		use  provisioning
		want []string
	}{
		"processes": {provisioning{resources: cpu(1000, 0)}, []string{"the host's CPUs: "}},
		"whole machine": {
			provisioning{resources: cpu(0.1, 0), host: &cpu(1000, 0)[0]},
			[]string{"the host's CPUs: ", "everything together 1000.00"},
		},
		"quota": {provisioning{resources: cpu(0.048, 0.05)}, []string{"OpenBao's CPU limit: "}},
		"pool": {
			provisioning{resources: cpu(0.1, 1), pool: target.PoolUse{FullShare: 0.9, Limit: 5, Samples: 9}},
			[]string{"pool of database connections: ", "5 connections was full in 90 %"},
		},
		"sessions": {
			provisioning{resources: cpu(0.1, 1), pool: pool(sessions(8, 8, 3))},
			[]string{"pool of database connections: ", "8 connections was full in 67 %"},
		},
		"nothing":     {provisioning{resources: cpu(0.1, 1), pool: pool(sessions(8, 0, 3))}, []string{"waits", "33 %"}},
		"not watched": {provisioning{pool: pool(target.Observation{})}, []string{"waits", "of "}},
	} {
		c.use.window = w
		for _, want := range c.want {
			require.Contains(t, c.use.limit(), want, name)
		}
	}
}

// TestMemoryUnseen: memory that was not observed at every size holds no claim, and no line is laid
// through it.
func TestMemoryUnseen(t *testing.T) {
	t.Parallel()
	steps := []Step{{Tenants: 50, Namespaces: 60, Secrets: 50, MemoryMiB: 100}, {
		Tenants: 200, Namespaces: 240,
		Secrets: 200,
	}, {Tenants: 400, Namespaces: 480, Secrets: 400, MemoryMiB: 200}}
	memory := claims(steps)[0]
	require.Equal(t, result.Inconclusive, memory.Verdict)
	require.Contains(t, memory.Reason, "not observed at every size")
	for _, beyond := range extrapolate(steps) {
		require.Zero(t, beyond.MemoryMiB)
	}
}
