package calibrate

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
)

// made is a comparison with noise of 5 % in which B's latency is ratio times A's.
func made(rng *rand.Rand, id string, injected float64) *compare.Comparison {
	d := compare.DefaultDesign()
	d.MaxPairs = 20
	d.SetGate(compare.DefaultGate(), 0.05)
	c := compare.New(id, d)
	c.B.Injected = injected
	for range 20 {
		value := func(by float64) compare.Slice {
			s := compare.Slice{Values: map[string]float64{}, Fetches: 1}
			for _, name := range compare.DefaultGate() {
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
	// The promise of the design: at most alpha without a margin, whatever the data. 1000 relabellings of 20 comparisons.
	require.LessOrEqual(t, float64(c.RelabelledZero.Events)/float64(c.RelabelledZero.Of), 0.07)
	require.Positive(t, c.RelabelledZero.Events, "and it can be seen to alarm")
	require.Len(t, c.Found, 1)
	require.Equal(t, 0.3, c.Found[0].Injected)
	require.GreaterOrEqual(t, c.Found[0].Failed.Events, 9)
	require.GreaterOrEqual(t, c.Found[0].Shown.Events, 9)
	for _, m := range c.Metrics {
		require.Equal(t, m.Name == "fetch_p95_ms", m.Quarantine, "%+v", m)
	}
	require.NoError(t, Write(dir, c))
	_, err = Read(dir)
	require.NoError(t, err, "the calibration beside them is no comparison")

	data, err := c.Quarantine(time.Now(), time.Hour)
	require.NoError(t, err)
	q, err := compare.ParseQuarantine("q", data)
	require.NoError(t, err)
	require.Len(t, q.Metrics, 1)
	require.Equal(t, "fetch_p95_ms", q.Metrics[0].Metric)
	var text bytes.Buffer
	require.NoError(t, Text(&text, c))
	require.Contains(t, text.String(), "30 % slower: FAIL")
	require.Contains(t, text.String(), "quarantine: the margin cannot be seen")
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
	for _, bad := range []Plan{{Same: 0}, {Same: 1, Each: -1}, {Same: 1, Effects: []float64{0}}, {Same: 1, Effects: []float64{math.NaN()}}} {
		require.Equal(t, exit.Invalid, exit.CodeOf(bad.Check()))
	}
	require.NoError(t, Plan{Same: 1, Effects: []float64{0.05}, Each: 1}.Check())
	empty := Judge(nil)
	require.Zero(t, empty.Same.Of)
}

// noArm is an arm that cannot be delayed.
type noArm struct{ compare.Arm }

func (noArm) SetDelay(time.Duration) error { return context.DeadlineExceeded }

func TestRunStopsAtAnError(t *testing.T) {
	t.Parallel()
	err := Runner{B: noArm{}, Log: func(string) {}}.Run(t.Context(), Plan{Same: 1})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
