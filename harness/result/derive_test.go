package result_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gitlab.com/steamer/steamer/harness/result"
)

// series samples once a second from start with the given cores.
func series(component string, start time.Time, cores ...float64) result.ResourceSeries {
	s := result.ResourceSeries{Component: component, Name: component}
	for i, c := range cores {
		s.Samples = append(s.Samples, result.ResourceSample{
			At: start.Add(time.Duration(i) * time.Second), CPUCores: c,
			MemoryMiB: 100 + 10*float64(i), Throttled: c / 10,
		})
	}
	return s
}

func TestCPUPerFetch(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	top := func(fetches int64, s ...result.ResourceSeries) *result.Topology {
		return &result.Topology{Resources: s, Load: &result.Load{
			Start: start, WarmupSeconds: 2, MeasuredSeconds: 4,
			Fetches: fetches,
		}}
	}
	whole := []float64{9, 9, 9, 1, 1, 2, 2, 9} // readings at 0..7 s; those at 3..6 s stand for the measured span

	ms, ok := top(100, series("openbao", start, whole...)).CPUPerFetch("openbao")
	require.True(t, ok)
	require.InDelta(t, 60, ms, 1e-9, "6 CPU-seconds over 100 fetches")

	ms, ok = top(100, series("openbao", start, whole...), series("openbao", start, whole...),
		series("postgresql", start, whole...)).CPUPerFetch("openbao")
	require.True(t, ok)
	require.InDelta(t, 120, ms, 1e-9, "both pods count, other components do not")

	_, ok = top(0, series("openbao", start, whole...)).CPUPerFetch("openbao")
	require.False(t, ok, "no fetches, no cost")
	_, ok = top(100, series("openbao", start, whole[:5]...)).CPUPerFetch("openbao")
	require.False(t, ok, "samples cover half of the span")
	_, ok = top(100).CPUPerFetch("openbao")
	require.False(t, ok)

	standby := series("openbao", start, whole...)
	standby.Name = "standby"
	for name, samples := range map[string][]result.ResourceSample{
		"never sampled":   {},
		"sampled in part": standby.Samples[:6],
	} {
		standby.Samples = samples
		_, ok = top(100, series("openbao", start, whole...), standby).CPUPerFetch("openbao")
		require.False(t, ok, "%s: a container that nobody watched makes the cost unknown, not smaller", name)
	}
	ended := series("openbao", start, whole[:5]...)
	ended.Name, ended.Ended = "ended", start.Add(4*time.Second)
	ms, ok = top(100, series("openbao", start, whole...), ended).CPUPerFetch("openbao")
	require.True(t, ok, "nothing more was to be watched of a container that had ended")
	require.InDelta(t, 80, ms, 1e-9)
	_, ok = (&result.Topology{}).CPUPerFetch("openbao")
	require.False(t, ok)

	// A sample that straddles an edge counts only by its part inside.
	half := series("openbao", start.Add(-500*time.Millisecond), whole...)
	used, covered := half.CPUSeconds(result.Window{From: start.Add(2 * time.Second), To: start.Add(6 * time.Second)})
	require.InDelta(t, 4, covered, 1e-9)
	require.InDelta(t, 0.5*1+1*1+1*2+1*2+0.5*9, used, 1e-9)
}

func TestPeaksAndCounts(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := series("openbao", start, 0, 1, 2, 3, 4)
	w := result.Window{From: start.Add(time.Second), To: start.Add(4 * time.Second)}
	peak, ok := s.PeakMemory(w)
	require.True(t, ok)
	require.InDelta(t, 130, peak, 1e-9)
	throttled, ok := s.MeanThrottled(w)
	require.True(t, ok)
	require.InDelta(t, 0.2, throttled, 1e-9)
	cores, ok := s.CPUCores(w)
	require.True(t, ok)
	require.InDelta(t, 3, cores, 1e-9)
	for name, unknown := range map[string]*result.ResourceSeries{
		"no samples":     {},
		"samples before": {Samples: s.Samples[:1]},
	} {
		_, ok = unknown.PeakMemory(w)
		require.False(t, ok, name)
		_, ok = unknown.MeanThrottled(w)
		require.False(t, ok, name)
		_, ok = unknown.CPUCores(w)
		require.False(t, ok, name)
	}
	s.Coarse = true
	_, ok = s.MeanThrottled(w)
	require.False(t, ok, "a kubelet's summary does not have it")
	top := result.Topology{Scenarios: []result.Scenario{
		{Status: result.Passed},
		{Status: result.Passed},
		{Status: result.Failed},
		{Status: result.Skipped},
	}}
	p, f, k := top.Count()
	require.Equal(t, [3]int{2, 1, 1}, [3]int{p, f, k})
}

// TestOthers: of two cores in use, half a core is OpenBao's and a fifth k6's, wherever k6 runs.
func TestOthers(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cores := func(n float64) []float64 {
		out := make([]float64, 21)
		for i := range out {
			out[i] = n
		}
		return out
	}
	host := series("host", start, cores(2)...)
	k6 := series("k6", start, cores(0.2)...)
	var generator result.Generator
	for _, s := range k6.Samples {
		generator.Samples = append(generator.Samples, result.GeneratorSample{At: s.At, CPUCores: s.CPUCores})
	}
	busy := series("host", start, cores(2)...)
	for i := range busy.Samples {
		busy.Samples[i].Interrupts = 0.4
	}
	openbao := series("openbao", start, cores(0.5)...)
	openbao.Name = "openbao-0/openbao"
	beside := series("postgresql", start, cores(0.3)...) // a container beside the cluster
	node, blind := series("node", start, cores(0.9)...), series("node", start, cores(0.9)[:10]...)
	own := series("steamer", start, cores(0.1)...)
	inNode := series("k6", start, cores(0.2)...)
	inNode.Name = "k6-0/k6"
	late := series("openbao", start.Add(5*time.Second), cores(0.5)...)
	w := result.Window{From: start, To: start.Add(20 * time.Second)}
	for name, tc := range map[string]struct {
		topology result.Topology
		want     float64
		known    bool
	}{
		"a process": {result.Topology{
			Host: &host, Load: &result.Load{Generator: generator},
			Resources: []result.ResourceSeries{openbao},
		}, 1.3, true},
		"pods": {
			result.Topology{Host: &host, Load: &result.Load{}, Resources: []result.ResourceSeries{openbao, k6}},
			1.3, true,
		},
		"no host": {result.Topology{Load: &result.Load{}, Resources: []result.ResourceSeries{openbao}}, 0, false},
		"no load": {result.Topology{Host: &host, Resources: []result.ResourceSeries{openbao}}, 0, false},
		"what the chart causes in the node is the chart's": {result.Topology{
			Host: &host, Nodes: []result.ResourceSeries{node}, Own: &own, Load: &result.Load{Generator: generator},
			Resources: []result.ResourceSeries{openbao, beside},
		}, 0.5, true},
		"generators in the node count once": {result.Topology{
			Host: &host, Nodes: []result.ResourceSeries{node}, Load: &result.Load{}, Resources: []result.ResourceSeries{
				openbao,
				inNode,
			},
		}, 1.1, true},
		"interrupts go to whoever uses the CPU": {result.Topology{
			Host: &busy, Nodes: []result.ResourceSeries{node}, Own: &own, Load: &result.Load{Generator: generator},
			Resources: []result.ResourceSeries{openbao},
		}, 0.4 + 0.4*0.4/1.6, true},
		"a node that was not watched": {result.Topology{
			Host: &host, Nodes: []result.ResourceSeries{blind}, Load: &result.Load{Generator: generator},
			Resources: []result.ResourceSeries{openbao},
		}, 2 - 0.2 - 0.9*9/20, false},
		"not throughout": {result.Topology{
			Host: &host, Load: &result.Load{Generator: generator},
			Resources: []result.ResourceSeries{late},
		}, 1.425, false},
	} {
		got, known := tc.topology.Others(w)
		require.Equal(t, tc.known, known, name)
		require.InDelta(t, tc.want, got, 1e-9, name)
	}
}

// TestInterruptedKeepsWhatIsProven interrupts runs of each verdict.
func TestInterruptedKeepsWhatIsProven(t *testing.T) {
	t.Parallel()
	for before, want := range map[result.Verdict]result.Verdict{
		result.Pass: result.Inconclusive, result.Inconclusive: result.Inconclusive, result.Fail: result.Fail,
	} {
		r := &result.Result{Verdict: before, Reasons: []string{"found before"}}
		r.Interrupted()
		require.Equal(t, want, r.Verdict)
		require.ElementsMatch(t, []string{"found before", "the run was interrupted"}, r.Reasons)
		require.Equal(t, before == result.Fail, r.Reasons[0] == "found before", "the most important first")
	}
}

// TestPeakMemory: a container that was not seen may be the largest, so the peak is not known.
func TestPeakMemory(t *testing.T) {
	t.Parallel()
	at := time.Unix(100, 0)
	series := func(component string, at time.Time, mib float64) result.ResourceSeries {
		return result.ResourceSeries{Component: component, Samples: []result.ResourceSample{{At: at, MemoryMiB: mib}}}
	}
	w := result.Window{From: at, To: at.Add(time.Second)}
	for name, tc := range map[string]struct {
		of   []result.ResourceSeries
		want float64
		ok   bool
	}{
		"largest":      {[]result.ResourceSeries{series("a", at, 3), series("a", at, 5), series("b", at, 9)}, 5, true},
		"one not seen": {[]result.ResourceSeries{series("a", at, 3), series("a", at.Add(time.Hour), 5)}, 3, false},
		"none":         {[]result.ResourceSeries{series("b", at, 9)}, 0, false},
	} {
		peak, ok := (&result.Topology{Resources: tc.of}).PeakMemory("a", w)
		require.InDelta(t, tc.want, peak, 0, name)
		require.Equal(t, tc.ok, ok, name)
	}
}
