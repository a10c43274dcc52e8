package calibrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/targettest"
)

// decisive are metrics that decide, a noisy one among them.
func decisive() []string { return []string{"fetch_p50_ms", "fetch_p95_ms", "openbao_cpu_ms_per_fetch"} }

// gates are metrics that decide, all with one margin.
func gates(margin float64, names ...string) (list []compare.GateMetric) {
	for _, name := range names {
		list = append(list, compare.GateMetric{Name: name, Margin: margin})
	}
	return list
}

// made is a comparison with noise of 5 % in which B's latency is ratio times A's.
func made(rng *rand.Rand, id string, injected float64) *compare.Comparison {
	d := compare.DefaultDesign()
	d.MaxPairs, d.InterimEvery = 20, 10
	d.GateMetrics = gates(0.05, decisive()...)
	c := compare.New(id, d)
	c.B.Injected = injected
	for range 20 {
		value := func(by float64) compare.Slice {
			s := compare.Slice{Values: map[string]float64{}, Fetches: 300}
			for _, name := range decisive() {
				sd := 0.05
				if name == "fetch_p95_ms" {
					sd = 0.4
				}
				s.Values[name] = by * math.Exp(sd/math.Sqrt2*rng.NormFloat64())
			}
			return s
		}
		c.Pairs = append(c.Pairs, compare.Pair{Order: "AB", A: value(1), B: value(1 + injected)})
	}
	c.Finished, c.Partial = c.Started.Add(time.Minute), false
	return c
}

func TestJudge(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	dir := t.TempDir()
	number := 0
	add := func(n int, injected float64) {
		for range n {
			number++
			doc := made(rng, fmt.Sprintf("c%03d", number), injected)
			compare.Judge(doc, nil)
			require.NoError(t, compare.WriteFile(filepath.Join(dir, doc.ID+".json"), doc))
		}
	}
	add(20, 0)
	add(10, 0.3)
	list, err := Read(dir)
	require.NoError(t, err)
	require.Len(t, list, 30)
	c := Judge(list)
	require.Equal(t, 20, c.Same.Of)
	require.LessOrEqual(t, c.Same.Events, 1)
	require.Equal(t, 20*relabellings, c.Relabelled.Of)
	// The promise of the design: at most alpha without a margin, whatever the data. 1000
	// relabellings of 20 comparisons.
	require.LessOrEqual(t, float64(c.RelabelledZero.Events)/float64(c.RelabelledZero.Of), 0.07)
	require.Positive(t, c.RelabelledZero.Events, "and it can be seen to alarm")
	require.Len(t, c.Found, 1)
	require.Equal(t, 0.3, c.Found[0].Injected)
	require.GreaterOrEqual(t, c.Found[0].Failed.Events, 9)
	require.GreaterOrEqual(t, c.Found[0].Shown.Events, 9)
	for _, m := range c.Metrics {
		require.Equal(t, m.Name == "fetch_p95_ms", m.Quarantine, "%+v", m)
	}
	for _, name := range []string{File, CampaignFile} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("{}"), 0o644))
	}
	_, err = Read(dir)
	require.NoError(t, err, "the calibration beside them is not read as a comparison")
	data, err := c.Quarantine(time.Now(), time.Hour)
	require.NoError(t, err)
	q, err := compare.ParseQuarantine("q", data)
	require.NoError(t, err)
	require.Len(t, q.Metrics, 1)
	require.Equal(t, "fetch_p95_ms", q.Metrics[0].Metric)
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := Read(dir)
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	rng := rand.New(rand.NewPCG(1, 1))
	a, b := made(rng, "a", 0), made(rng, "b", 0)
	b.Design.Rate = 1
	for _, doc := range []*compare.Comparison{a, b} {
		require.NoError(t, compare.WriteFile(filepath.Join(dir, doc.ID+".json"), doc))
	}
	_, err = Read(dir)
	require.ErrorContains(t, err, "its design differs")
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b.json"), []byte("{"), 0o644))
	_, err = Read(dir)
	require.ErrorContains(t, err, "not a complete JSON document")
	for _, bad := range []Plan{
		{Same: 0},
		{Same: 1, Each: -1},
		{Same: 1, Effects: []float64{0}},
		{Same: 1, Effects: []float64{math.NaN()}},
	} {
		require.Equal(t, exit.Invalid, exit.CodeOf(bad.Check()))
	}
	require.NoError(t, Plan{Same: 1, Effects: []float64{0.05}, Each: 1}.Check())
	empty := Judge(nil)
	require.Zero(t, empty.Same.Of)
}

// rigid is a target that cannot be delayed, and not be limited either.
type rigid struct{ targettest.Fake }

func (*rigid) SetDelay(time.Duration) error { return context.DeadlineExceeded }

// against is an engine with both sides up.
func against(t *testing.T, head target.Target) *compare.Engine {
	t.Helper()
	side := func(of target.Target) compare.Side {
		return compare.Side{Open: func(context.Context) (target.Target, error) { return of, nil }}
	}
	e := &compare.Engine{A: side(&targettest.Fake{}), B: side(head)}
	require.NoError(t, e.Prepare(t.Context(), compare.New("x", compare.DefaultDesign())))
	return e
}

func TestRunStopsAtAnError(t *testing.T) {
	t.Parallel()
	err := Runner{Engine: against(t, &rigid{}), Log: func(string) {}}.Run(t.Context(), Plan{Same: 1})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	err = Runner{Engine: against(t, &targettest.Fake{}), Log: func(string) {}}.Run(t.Context(), Plan{Same: 1})
	require.ErrorContains(t, err, "cannot be delayed")
	for _, plan := range []Plan{{Same: 1}, {Same: 1, Limits: []float64{0.5}, Each: 1}} {
		err = Runner{
			Engine: against(t, &willing{}), Log: func(string) {},
			Begin: func(int) (*compare.Comparison, error) { return nil, io.EOF },
		}.Run(t.Context(), plan)
		require.ErrorIs(t, err, io.EOF, "before there is a median, none of it is added")
	}
	err = Runner{Engine: against(t, &rigid{})}.Run(t.Context(), Plan{Same: 1, Limits: []float64{0.5}, Each: 1})
	require.Equal(t, exit.Invalid, exit.CodeOf(err), "a target that cannot be limited")
}

// TestResume goes on with an interrupted campaign: only what is missing is made.
func TestResume(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(2, 2))
	p := Plan{Same: 2, Effects: []float64{0.1, 0.2}, Limits: []float64{0.5}, Each: 2}
	require.Len(t, p.treatments(), 8)
	require.Equal(t, treatment{CPUs: 0.5}, p.treatments()[4])
	number := func(id string) (int, bool) {
		n, err := strconv.Atoi(id)
		return n, err == nil
	}
	list := []*compare.Comparison{made(rng, "1", 0), made(rng, "2", 0), made(rng, "3", 0.1), made(rng, "4", 0.2)}
	for _, doc := range list {
		compare.Judge(doc, nil)
	}
	list[3].Partial = true
	done, err := p.Resume(list, list[0].Design, number)
	require.NoError(t, err)
	require.Equal(t, []int{1, 2, 3}, slices.Sorted(maps.Keys(done)), "a partial one is made again")

	var begun []int
	stop := errors.New("enough")
	r := Runner{Engine: against(t, &willing{}), Done: done, Log: func(string) {}, Begin: func(n int) (*compare.Comparison, error) {
		begun = append(begun, n)
		return nil, stop
	}}
	require.ErrorIs(t, r.Run(t.Context(), p), stop)
	require.Equal(t, []int{4}, begun)

	for name, other := range map[string]struct {
		plan   Plan
		change func(*compare.Comparison)
	}{
		"another plan":   {Plan{Same: 3}, func(*compare.Comparison) {}},
		"too few":        {Plan{Same: 2}, func(*compare.Comparison) {}},
		"another design": {p, func(c *compare.Comparison) { c.Design.Rate = 1 }},
		"another ID":     {p, func(c *compare.Comparison) { c.ID = "x" }},
		"twice":          {p, func(c *compare.Comparison) { c.ID = "2" }},
	} {
		third := *list[2]
		other.change(&third)
		_, err := other.plan.Resume([]*compare.Comparison{list[0], list[1], &third}, list[0].Design, number)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), name)
	}
}

// willing is a target that takes any treatment.
type willing struct{ targettest.Fake }

func (*willing) SetDelay(d time.Duration) error {
	if d < 0 || d > time.Minute { // as of a real one
		return fmt.Errorf("delay %s", d)
	}
	return nil
}
func (*willing) SetCPUs(float64) error { return nil }

// TestCampaign: the smallest form gives the same judgement.
func TestCampaign(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 3))
	var list []*compare.Comparison
	for i := range 12 {
		doc := made(rng, fmt.Sprintf("c%03d", i), []float64{0, 0.1, 0.3}[i%3])
		doc.Pairs[1].Order = "BA"
		doc.Pairs[2].A.Invalid = []string{"observed missed"}
		doc.Pairs[3].B.Overload, doc.Pairs[3].B.Failed = "dropped-iterations missed", 2
		delete(doc.Pairs[4].B.Values, "fetch_p95_ms")
		list = append(list, doc)
	}
	list[11].B.Injected, list[11].B.CPUs = 0, 0.5
	want := Judge(list)
	data, err := EncodeCampaign(NewCampaign(list))
	require.NoError(t, err)
	require.Less(t, len(data)/len(list), 4000, "bytes a comparison")
	file := filepath.Join(t.TempDir(), "kept.json")
	require.NoError(t, os.WriteFile(file, data, 0o644))
	restored, err := Read(file)
	require.NoError(t, err)
	require.Equal(t, "BA", restored[0].Pairs[1].Order)
	got := Judge(restored)
	require.Equal(t, want.Same, got.Same)
	require.Equal(t, want.Found, got.Found)
	require.Len(t, got.Found, 3)
	for i := range want.Runs {
		require.Equal(t, want.Runs[i].Verdict, got.Runs[i].Verdict)
	}
	again, err := EncodeCampaign(NewCampaign(restored))
	require.NoError(t, err)
	require.Equal(t, string(data), string(again))

	for name, edit := range map[string][2]string{
		"cut":         {"]}\n", ""},
		"other kind":  {"\"Campaign\"", "\"Comparison\""},
		"field":       {"\"reproduce\"", "\"repro\""},
		"negative":    {"\"fetch_p50_ms\":[", "\"fetch_p50_ms\":[-7,"},
		"too many":    {"\"fetch_p50_ms\":[", "\"fetch_p50_ms\":[1,"},
		"no pair":     {"\"ba\":[1]", "\"ba\":[99]"},
		"bad design":  {"\"rate\": 60", "\"rate\": -1"},
		"odd metrics": {"\"fetch_p50_ms\":[", "\"p50\":[1],\"fetch_p50_ms\":["},
	} {
		text := strings.Replace(string(data), edit[0], edit[1], 1)
		require.NotEqual(t, string(data), text, name)
		_, err := DecodeCampaign("x", []byte(text))
		require.Equal(t, exit.Invalid, exit.CodeOf(err), name)
	}
}

// FuzzDecodeCampaign: what decodes can be judged.
func FuzzDecodeCampaign(f *testing.F) {
	data, err := EncodeCampaign(NewCampaign([]*compare.Comparison{made(rand.New(rand.NewPCG(1, 1)), "a", 0)}))
	require.NoError(f, err)
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := DecodeCampaign("x", data); err == nil && len(c.Comparisons) < 10 {
			Judge(c.Restore())
		}
	})
}
