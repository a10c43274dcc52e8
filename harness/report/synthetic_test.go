package report

// SYNTHETIC TEST DATA: results that look like those of real runs. Nothing in here was measured.

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load/hdr"
	"gitlab.com/steamer/steamer/harness/result"
)

// syntheticStart is when every synthetic run began.
func syntheticStart() time.Time { return time.Date(2026, 11, 23, 14, 30, 0, 0, time.UTC) }

// syntheticRun makes a run on both topologies with the given measured seconds and
// fetches per second, judged by limits that it holds.
func syntheticRun(seconds, rate int) *result.Result { return syntheticWithout(seconds, rate, 0, 0) }

// syntheticWithout makes one whose totals do not have the seconds from and to of the series.
func syntheticWithout(seconds, rate, from, to int) *result.Result {
	start := syntheticStart()
	r := &result.Result{
		APIVersion: result.APIVersion, Kind: result.Kind,
		Run: result.Run{
			ID: "20261123-143000-synt", Started: start, Finished: start.Add(time.Duration(2*seconds+340) * time.Second),
			Reproduce: "steamer perf --chart charts/openbao --topology cloud-native,cloud-native-hybrid --profile steady --tier " + fmt.Sprint(rate),
			Profile:   "steady", Tier: fmt.Sprint(rate), Steamer: "0.1.0 (synthetic test data)",
			Host: result.Host{
				OS: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.18.5", CPUs: 2, MemoryMiB: 23952, Cgroup: "v1",
				Engine: "docker 20.10.24 (private)",
			},
		},
		NotMeasured: []string{
			"NetworkPolicy enforcement: the cluster's CNI does not enforce policies",
			"Regression against a previous chart: no base was given",
		},
	}
	at := start
	for i, name := range []string{"cloud-native", "cloud-native-hybrid"} {
		t := topology(name, uint64(i+1), at.Add(75*time.Second), seconds, rate, [2]int{from, to})
		for _, s := range []struct {
			name string
			sec  float64
		}{
			{"cluster", 24},
			{"images", 11},
			{"install", 22.4},
			{"seed", 9.1},
			{"scenarios", 41.7},
			{"load", float64(seconds + 15)},
			{"capture", 2.2},
			{"clean up", 6.3},
		} {
			if i > 0 && s.name == "images" {
				continue
			}
			r.Steps = append(r.Steps, result.Step{Name: s.name, Topology: name, Started: at, Seconds: s.sec})
			at = at.Add(time.Duration(s.sec * float64(time.Second)))
		}
		r.Topologies = append(r.Topologies, t)
	}
	judgeSynthetic(r)
	return r
}

// judgeSynthetic judges r by limits like those of perf/slo.yaml.
func judgeSynthetic(r *result.Result) {
	limits := []judge.Limit{
		{Metric: "error_rate", Op: "<=", Source: "no fault is injected, so no job may fail"},
		{Metric: "fetch_mean_ms", Op: "<=", Limit: 40, Source: "twice GitLab's 'investigate' mean"},
		{Metric: "fetch_p95_ms", Op: "<=", Limit: 60, Source: "synthetic"},
		{Metric: "fetch_p99_ms", Op: "<=", Limit: 90, Source: "synthetic"},
		{
			Metric: "openbao_throttled_ratio", Op: "<=", Limit: 0.25, Source: "GitLab documentation, CPU throttling",
			Informational: true,
		},
	}
	judge.Judge(r, judge.Policy{
		SLO: &judge.SLO{EnvironmentLatency: 5, Entries: []judge.Entry{{Limits: limits}}}, Validity: judge.DefaultValidity(),
		Expect: judge.Expect{Scenarios: true, Load: true},
	})
}

func topology(name string, seed uint64, start time.Time, seconds, rate int, apart [2]int) result.Topology {
	rng := rand.New(rand.NewPCG(seed, 42))
	t := result.Topology{
		Name: name,
		Chart: result.Chart{
			Name: "openbao", Version: "0.1.0", AppVersion: "2.4.0", Source: "charts/openbao",
			Digest: digest(seed),
		},
		Versions: map[string]string{
			"kubernetes": "v1.36.3", "openbao": "2.4.0", "postgresql": "15.14", "helm": "v3.22.0",
			"kind": "v0.33.0", "k6": "v2.1.0",
		},
		Images: map[string]string{
			"openbao":    "steamer.local/openbao:2.4.0@" + digest(seed+10),
			"postgresql": "steamer.local/postgresql:15@" + digest(seed+20), "node": "steamer.local/node:v1.36.3@" +
				digest(seed+30),
		},
		Seed: &result.Seed{
			Tenants: 50, Secrets: 200, Recipes: map[string]int{"two-level-jwt": 25, "three-level-cel": 25},
			Seconds: 9.1, Calls: 1212,
		},
		Scenarios: scenarios(),
	}
	t.Load = fetches(rng, start, seconds, rate, apart)
	t.Resources = []result.ResourceSeries{
		series(rng, t.Load, "openbao", "openbao-7d9f-k8s/openbao-server", "active", 0.0016*float64(rate)+0.01, 210, 0.5),
		series(rng, t.Load, "openbao", "openbao-7d9f-x2x/openbao-server", "standby", 0.008, 150, 0.5),
		series(rng, t.Load, "postgresql", "postgresql-0/postgresql", "", 0.0005*float64(rate)+0.006, 95, 0),
		series(rng, t.Load, "gitlab-stub", "gitlab-stub-0/gitlab-stub", "", 0.002, 14, 0),
	}
	statements := 4.02
	t.Cost = t.DeriveCost()
	t.Cost.Statements = &statements
	t.Events = []result.Event{
		{At: start, Kind: "phase", Detail: "load begins", Planned: true},
		{At: start.Add(-20 * time.Second), Kind: "fault", Detail: "deleted the active pod", Planned: true},
	}
	return t
}

// scenarios are a few of a run, of every kind of end but a failure.
func scenarios() []result.Scenario {
	return []result.Scenario{
		{
			ID: "access/own-secret", Title: "A job reads its own project's secret",
			Protects: "jobs get the value that was stored", Status: result.Passed, Seconds: 0.21,
		},
		{
			ID: "access/other-project", Title: "Another project's JWT is refused",
			Protects: "one project's secrets from another's jobs", Status: result.Passed, Seconds: 0.34,
		},
		{
			ID: "access/bad-tokens", Title: "Expired, wrong-audience and unsigned JWTs are refused",
			Protects: "secrets from forged tokens", Status: result.Passed, Seconds: 0.88,
		},
		{
			ID: "access/no-policy", Title: "A role without a policy gets 403", Protects: "least privilege",
			Status: result.Passed, Seconds: 0.19,
		},
		{
			ID: "lifecycle/one-active", Title: "Exactly one active pod stands behind the active Service",
			Protects: "writes from two leaders", Status: result.Passed, Seconds: 1.4,
		},
		{
			ID: "lifecycle/failover", Title: "Deleting the active pod fails over and the fetch works again",
			Protects: "availability while a node is drained", Status: result.Passed, Seconds: 12.6,
			Measured: map[string]float64{"unavailable_seconds": 1.42}, Log: []string{
				"deleted pod openbao-7d9f-x2x",
				"openbao-7d9f-k8s is active after 1.4 s",
			},
		},
		{
			ID: "config/upgrade-keeps-data", Title: "A config change through helm upgrade keeps the data",
			Protects: "secrets during maintenance", Status: result.Passed, Seconds: 21.9,
		},
		{
			ID: "access/network-policy", Title: "Pods outside the allowed namespaces cannot connect",
			Protects: "the API from other workloads", Status: result.Skipped,
			Reason: "the cluster's CNI does not enforce NetworkPolicy",
		},
	}
}

// fetches makes log-normal latencies with garbage-collection-like spikes.
func fetches(rng *rand.Rand, start time.Time, seconds, rate int, apart [2]int) *result.Load {
	const warm = 15
	l := &result.Load{
		Workload: "fetch", Profile: "steady", Mode: "inline", Target: "http://127.0.0.1:18200", OfferedRate: float64(rate),
		AchievedRate: float64(rate),
		Start:        start, WarmupSeconds: warm, MeasuredSeconds: float64(seconds), Fetches: int64(seconds * rate),
		Statuses: map[string]int64{"200": int64(seconds * rate)},
		Generator: result.Generator{
			Version: "v2.1.0", CPUSeconds: 0.0002 * float64((seconds+warm)*rate), MaxRSSMiB: 118,
			CPUShare: 0.0001*float64(rate) + 0.004, MaxVUs: 20,
		},
		Extra: map[string]float64{},
		// The limits of Judge, with its allowance.
		Thresholds: []result.Threshold{{From: result.FromIntended, Limit: 65}, {From: result.FromIntended, Limit: 95}},
		NotJudged:  []string{"fetch_p95_ms", "fetch_p99_ms"},
	}
	whole := [2]*hdrhistogram.Histogram{newHistogram(), newHistogram()}
	for s := range seconds + warm {
		h := newHistogram()
		base := 6500 + 600*math.Sin(float64(s)/37) + 9000*math.Exp(-float64(s)/4)
		phase := "measure"
		if s < warm {
			phase = "warmup"
		}
		for range rate {
			us := int64(base * math.Exp(0.28*rng.NormFloat64()))
			if rng.IntN(140) == 0 {
				us += int64(8000 + 22000*rng.Float64())
			}
			_ = h.RecordValue(us + 150)
			if phase == "measure" && (s < apart[0] || s >= apart[1]) {
				_ = whole[0].RecordValue(us)
				_ = whole[1].RecordValue(us + 150)
			}
		}
		q := func(p float64) float64 { return hdr.Milliseconds(h.ValueAtPercentile(p)) }
		l.Series = append(l.Series, result.Interval{
			Offset: float64(s), Phase: phase, Fetches: int64(rate), P50: q(50),
			P95: q(95), P99: q(99), Max: q(100), Mean: h.Mean() / 1000, Above: hdr.Above(h, []float64{65, 95}),
		})
	}
	l.Actual, _ = hdr.Summarise(whole[0])
	l.Intended, _ = hdr.Summarise(whole[1])
	l.Attempts = &result.Attempts{Count: l.Fetches}
	l.Steps = map[string]result.Distribution{"first_byte": l.Actual}
	return l
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(10*time.Minute/time.Microsecond), 3)
}

func series(rng *rand.Rand, l *result.Load, component, name, role string, cpu, mem,
	request float64,
) result.ResourceSeries {
	s := result.ResourceSeries{Component: component, Name: name, Role: role, CPURequest: request, CPULimit: 2 * request}
	if component == "openbao" {
		s.MemoryLimit = 4000
	}
	n := int(l.WarmupSeconds + l.MeasuredSeconds)
	for i := -8; i < n+6; i++ {
		use := cpu * (0.9 + 0.2*rng.Float64())
		if i < 0 || i >= n {
			use = 0.012 * rng.Float64()
		}
		s.Samples = append(s.Samples, result.ResourceSample{
			At:       l.Start.Add(time.Duration(i)*time.Second + time.Duration(rng.IntN(90))*time.Millisecond),
			CPUCores: use, MemoryMiB: mem + 0.02*float64(i) + 6*math.Abs(math.Sin(float64(i)/9)),
			Throttled: 0.01 * rng.Float64(),
		})
	}
	return s
}

func digest(seed uint64) string {
	rng := rand.New(rand.NewPCG(seed, 7))
	return fmt.Sprintf("sha256:%016x%016x%016x%016x", rng.Uint64(), rng.Uint64(), rng.Uint64(), rng.Uint64())
}

// syntheticFailed is a run with a failed scenario, a fault under load, errors and a
// missed objective; its strings try to break out of every format.
func syntheticFailed() *result.Result {
	r := syntheticRun(120, 30)
	t := &r.Topologies[0]
	s := &t.Scenarios[1]
	s.Status, s.Reason = result.Failed, "want 403, got 200 <script>alert(1)</script> | \x01 `x` @all\nsecond line"
	s.Log = []string{"GET /v1/a/b 200", "]]> </pre><img src=x onerror=alert(2)>"}
	l := t.Load
	for i := 70; i < 78; i++ {
		iv := &l.Series[i]
		iv.Failed, iv.P50, iv.P95, iv.P99 = 9, 90, 400, 900
		l.Failed += 9
	}
	l.Statuses = map[string]int64{"200": l.Fetches - l.Failed, "500": 60, "error": 12}
	l.Intended.P99, l.Intended.P95, l.Dropped = 412, 66, 14
	t.Events = append(t.Events,
		result.Event{At: l.Start.Add(70 * time.Second), Kind: "restart", Detail: "openbao-7d9f-k8s restarted: OOMKilled"},
		result.Event{At: l.Start.Add(73 * time.Second), Kind: "leadership", Detail: "openbao-7d9f-x2x is active </script>"},
	)
	r.Topologies[1].Load, r.Topologies[1].Resources = nil, nil
	r.Topologies[1].Scenarios = r.Topologies[1].Scenarios[:3]
	r.Steps[len(r.Steps)-3].Error = "k6: the script threw an exception"
	r.Run.Partial = true
	judgeSynthetic(r)
	return r
}
