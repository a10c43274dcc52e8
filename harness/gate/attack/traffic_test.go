package attack_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/hdr"
	"gitlab.com/steamer/steamer/harness/result"
)

// SYNTHETIC TEST DATA: what is made here looks like what runs record, and nothing in it was
// measured.

// fetched is one arrival of a load.
type fetched struct {
	at                     float64 // seconds since the start at which it should begin
	ms, own                float64 // latency from the intended and from the actual start
	failed, wrong, dropped bool
	phase                  string
}

// traffic is everything that happened to one load, before it is counted: attacks change what
// happened, so that what is recorded of it agrees.
type traffic struct {
	start           time.Time
	rate            float64
	warmup, seconds float64
	fetches         []fetched
	extra           map[string]float64
	partial         string
	mode            string
	// What the pods and the machine did, in cores, by second since the start.
	active, standby, postgres, generator, kubernetes, strangers func(second int) float64
	// Shares of CPU periods: of the active pod, of Steamer's control group.
	throttled, own func(second int) float64
	cpus           float64
	// quick counts no histograms, which no verdict needs, and samples every other second.
	quick bool
}

// steady gives the same number of cores at all times.
func steady(cores float64) func(int) float64 { return func(int) float64 { return cores } }

// quiet is a load without a fault: a median of 7 ms with a tail that goes to some 40 ms.
func quiet(rng *rand.Rand, start time.Time, rate, warmup, seconds float64) *traffic {
	t := &traffic{
		start: start, rate: rate, warmup: warmup, seconds: seconds, mode: "inline", extra: map[string]float64{}, cpus: 4,
		active: steady(
			0.05 + 0.004*rate,
		), standby: steady(0.004), postgres: steady(0.02 + 0.001*rate), generator: steady(0.01 + 0.001*rate),
		kubernetes: steady(0.3), strangers: steady(0.05), throttled: steady(0), own: steady(0),
	}
	n := int(rate * (warmup + seconds))
	t.fetches = make([]fetched, n)
	for i := range t.fetches {
		at := float64(i) / rate
		ms := 7 * math.Exp(0.35*rng.NormFloat64())
		if rng.IntN(200) == 0 { // a collection of garbage, a checkpoint
			ms += 30 * rng.Float64()
		}
		f := fetched{at: at, ms: ms + 0.5, own: ms, phase: "measure"}
		if at < warmup {
			f.phase = "warmup"
		}
		t.fetches[i] = f
	}
	return t
}

// measured are the fetches that are judged, without arrivals that were dropped.
func (t *traffic) measured() []*fetched {
	out := make([]*fetched, 0, len(t.fetches))
	for i := range t.fetches {
		if t.fetches[i].phase == "measure" && !t.fetches[i].dropped {
			out = append(out, &t.fetches[i])
		}
	}
	return out
}

// between are the measured fetches of some seconds, counted from the end of the warm-up.
func (t *traffic) between(from, to float64) []*fetched {
	return slices.DeleteFunc(t.measured(), func(f *fetched) bool { return f.at < t.warmup+from || f.at >= t.warmup+to })
}

// slow has some fetches take longer.
func slow(list []*fetched, ms float64) {
	for _, f := range list {
		f.ms, f.own = ms, ms
	}
}

// bad has some fetches fail, and at once.
func bad(list []*fetched) {
	for _, f := range list {
		f.failed, f.ms, f.own = true, 2, 2
	}
}

// spread are n of the fetches at equal distances.
func spread(list []*fetched, n int) []*fetched {
	out := make([]*fetched, 0, n)
	for i := range n {
		out = append(out, list[i*len(list)/n])
	}
	return out
}

// thresholds are the limits whose excess is counted second by second: those of perf/slo.yaml for
// p95 and p99 up to tier 30.
var thresholds = []result.Threshold{{From: result.FromIntended, Limit: 250}, {From: result.FromIntended, Limit: 500}}

// load counts what happened, as k6's output and the recorder do.
func (t *traffic) load() *result.Load {
	l := &result.Load{
		Workload: "fetch", Profile: "steady", Mode: t.mode, Target: "http://127.0.0.1:18200",
		OfferedRate: t.rate, Start: t.start,
		WarmupSeconds: t.warmup, MeasuredSeconds: t.seconds, Statuses: map[string]int64{}, Partial: t.partial, Extra: t.extra,
		Attempts: &result.Attempts{}, Thresholds: thresholds,
		Jobs: &result.Jobs{
			Choice:  load.Uniform,
			Signing: load.TierStandard().Signing,
			Profile: "sha256:steady",
			Tenants: 50,
			Secrets: 4,
		},
	}
	log := map[string][]counted{} // by phase and second
	for i := range t.fetches {
		f := &t.fetches[i]
		second := int(f.at + f.ms/1000)
		if f.dropped {
			second = int(f.at)
		}
		if short := second + 1 - len(log[f.phase]); short > 0 {
			log[f.phase] = append(log[f.phase], make([]counted, short)...)
		}
		log[f.phase][second].add(f)
	}
	var intended, actual []float64
	for _, phase := range []string{"warmup", "measure", "excursion"} {
		for second := range log[phase] {
			c := &log[phase][second]
			if c.Fetches+c.Dropped == 0 {
				continue
			}
			iv := c.interval(second, phase)
			l.Series = append(l.Series, iv)
			if phase == "measure" {
				intended, actual = append(intended, c.ms...), append(actual, c.own...)
				l.Fetches, l.Failed = l.Fetches+iv.Fetches, l.Failed+iv.Failed
				l.Wrong, l.Dropped = l.Wrong+iv.Wrong, l.Dropped+iv.Dropped
			}
		}
	}
	slices.SortStableFunc(l.Series, func(a, b result.Interval) int { return cmp.Compare(a.Offset, b.Offset) })
	l.Attempts.Count, l.Attempts.Failed = l.Fetches, l.Failed
	l.Statuses["200"], l.Statuses["503"] = l.Fetches-l.Failed, l.Failed
	l.AchievedRate = float64(l.Fetches) / t.seconds
	l.Intended = distribution(intended, !t.quick)
	if l.Actual = l.Intended; !t.quick {
		l.Actual = distribution(actual, true)
	}
	t.generated(l)
	return l
}

// counted is what ended in a second of a phase.
type counted struct {
	result.Interval
	ms, own     []float64
	sum, ownSum float64
	above       []int64
}

func (c *counted) add(f *fetched) {
	if c.above == nil {
		c.above = make([]int64, len(thresholds))
		c.ms, c.own = make([]float64, 0, 4), make([]float64, 0, 4)
	}
	if f.dropped {
		c.Dropped++
		return
	}
	c.Fetches++
	c.Failed += one(f.failed)
	c.Wrong += one(f.wrong)
	c.ms, c.own, c.sum, c.ownSum = append(c.ms, f.ms), append(c.own, f.own), c.sum+f.ms, c.ownSum+f.own
	for i, th := range thresholds {
		c.above[i] += one(f.failed || f.ms > th.Limit)
	}
}

// interval is the second's line of the log.
func (c *counted) interval(second int, phase string) result.Interval {
	iv := c.Interval
	iv.Offset, iv.Phase = float64(second), phase
	slices.Sort(c.ms)
	iv.P50, iv.P95, iv.P99, iv.Max = quantile(c.ms, 0.5), quantile(c.ms, 0.95), quantile(c.ms, 0.99), quantile(c.ms, 1)
	if n := float64(len(c.ms)); n > 0 {
		iv.Mean, iv.ActualMean = c.sum/n, c.ownSum/n
	}
	iv.Above, iv.Attempts, iv.AttemptsFailed = c.above, iv.Fetches, iv.Failed
	return iv
}

func one(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// quantile of sorted values by nearest rank; 0 without any.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, min(len(sorted)-1, int(math.Ceil(q*float64(len(sorted))))-1))]
}

func distribution(ms []float64, histogram bool) result.Distribution {
	if histogram {
		h := hdrhistogram.New(1, 3600*1e6, 3)
		for _, v := range ms {
			if err := h.RecordValue(int64(v * 1000)); err != nil {
				panic(err) // beyond an hour
			}
		}
		d, err := hdr.Summarise(h)
		if err != nil {
			panic(err)
		}
		return d
	}
	slices.Sort(ms)
	d := result.Distribution{Count: int64(len(ms))}
	if d.Count == 0 {
		return d
	}
	for _, v := range ms {
		d.Mean += v / float64(len(ms))
	}
	d.Min, d.Max = ms[0], ms[len(ms)-1]
	d.P50, d.P90, d.P95, d.P99, d.P999 = quantile(
		ms,
		0.5,
	), quantile(
		ms,
		0.9,
	), quantile(
		ms,
		0.95,
	), quantile(
		ms,
		0.99,
	), quantile(
		ms,
		0.999,
	)
	return d
}

// at is the time of a second of the load.
func (t *traffic) at(second float64) time.Time {
	return t.start.Add(time.Duration(second * float64(time.Second)))
}

// span is how long the load took, in whole seconds.
func (t *traffic) span() int { return int(t.warmup + t.seconds) }

// every is how many seconds lie between samples.
func (t *traffic) every() int {
	if t.quick {
		return 2
	}
	return 1
}

// generated fills in what the load generator used.
func (t *traffic) generated(l *result.Load) {
	total := 0.0
	for s := -1; s <= t.span()+1; s += t.every() {
		cores := t.generator(s)
		total += cores * float64(t.every())
		l.Generator.Samples = append(
			l.Generator.Samples,
			result.GeneratorSample{At: t.at(float64(s)), CPUCores: cores, RSSMiB: 100, Sockets: 3, Threads: 9},
		)
	}
	l.Generator.Version, l.Generator.MaxRSSMiB, l.Generator.InitialVUs, l.Generator.MaxVUs = "v2.1.0", 102, initialVUs, 200
	l.Generator.CPUSeconds = total
	l.Generator.CPUShare = total / float64(t.span()+3) / t.cpus
}

// observed is what was sampled of a container, once a second from before the load to after it.
func (t *traffic) observed(component, name, role string, cores, throttled func(int) float64) result.ResourceSeries {
	s := result.ResourceSeries{Component: component, Name: name, Role: role}
	if component == "openbao" {
		s.CPURequest, s.CPULimit, s.MemoryLimit = 0.1, 1, 3814.7
	}
	s.Samples = make([]result.ResourceSample, 0, t.span()+3)
	for i := -1; i <= t.span()+1; i += t.every() {
		x := result.ResourceSample{At: t.at(float64(i) + 0.3), CPUCores: cores(i), MemoryMiB: 64}
		if x.Active = role == "active"; throttled != nil {
			x.Throttled = throttled(i)
		}
		if name == "host" {
			x.Interrupts, x.AvailableMiB = 0.02, 12000
		}
		s.Samples = append(s.Samples, x)
	}
	return s
}

// resources are those of the whole topology and of its machine.
func (t *traffic) resources(into *result.Topology) {
	into.Resources = []result.ResourceSeries{
		t.observed("gitlab-stub", "gitlab-stub-0/gitlab-stub", "", steady(0.005), nil),
		t.observed("openbao", standbyPod, "standby", t.standby, nil),
		t.observed("openbao", activePod, "active", t.active, t.throttled),
		t.observed("postgresql", "postgresql-0/postgresql", "", t.postgres, nil),
	}
	node := func(s int) float64 {
		return 0.005 + t.standby(s) + t.active(s) + t.postgres(s) + t.kubernetes(s)
	}
	const steamer, interrupts = 0.15, 0.02 // cores
	host := t.observed("", "host", "", func(s int) float64 {
		return interrupts + steamer + node(s) + t.generator(s) + t.strangers(s)
	}, nil)
	own := t.observed("", "steamer", "", steady(steamer), t.own)
	into.Host, into.Own, into.Nodes = &host, &own, []result.ResourceSeries{
		t.observed("", "steamer-control-plane", "", node, nil),
	}
	into.Database = &result.DatabaseUse{}
	for i := -1; i <= t.span()+1; i += t.every() {
		into.Database.Samples = append(into.Database.Samples, result.DatabaseSample{
			At: t.at(float64(i) + 0.4), Statements: 4 * t.rate, Rows: 2 * t.rate, ExecMs: t.rate, Commits: t.rate,
			Rollbacks: 1, Connections: 8, Running: 1,
		})
	}
	into.Observer = &result.ObserverUse{Seconds: float64(t.span()), CPUSeconds: 0.05 * float64(t.span())}
}

// initialVUs are those that k6 makes before the start at up to 20 fetches/s.
const initialVUs = 20

// The two pods of OpenBao.
const (
	activePod  = "openbao-6589df9f59-hk7zt/openbao-server"
	standbyPod = "openbao-6589df9f59-7sktp/openbao-server"
)
