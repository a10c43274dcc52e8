package report

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"gitlab.com/steamer/steamer/harness/compare"
)

// slower is a judged comparison in which B is twice as slow, and a pair of which does not count.
func slower() *compare.Comparison {
	d := compare.DefaultDesign()
	d.Where, d.MaxPairs, d.InterimEvery = "made up", 40, 10
	d.GateMetrics = []compare.GateMetric{{Name: "fetch_p50_ms", Margin: 0.10}, {Name: "openbao_cpu_ms_per_fetch", Margin: 0.10}}
	c := compare.New("test", d)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 10 {
		value := func(by float64) compare.Slice {
			s := compare.Slice{Start: time.Unix(int64(i), 0).UTC(), Fetches: 3000, Achieved: 300, Values: map[string]float64{}}
			for _, g := range d.GateMetrics {
				s.Values[g.Name] = by * math.Exp(0.05*rng.NormFloat64())
			}
			return s
		}
		c.Pairs = append(c.Pairs, compare.Pair{Order: "AB", A: value(1), B: value(2)})
	}
	c.Finished, c.Partial = time.Now().UTC(), false
	c.A.Description, c.B.Description, c.Reproduce = "base | one", "head", "steamer compare"
	c.Pairs[4].A.Invalid = []string{"steady missed"}
	compare.Judge(c, nil)
	return c
}

func TestComparisonReports(t *testing.T) {
	t.Parallel()
	c := slower()
	var text bytes.Buffer
	require.NoError(t, ComparisonText(&text, c))
	for _, want := range []string{
		"FAIL: B against A", "fetch_p50_ms", "10 %", "Discarded pairs: 1 × A: steady missed", "above the margin",
		"judged at interim analysis 1 of at most 4",
	} {
		require.Contains(t, text.String(), want)
	}

	dir := t.TempDir()
	require.NoError(t, WriteComparison(dir, c))
	_, err := compare.ReadFile(filepath.Join(dir, compare.JSONFile))
	require.NoError(t, err)
	for name, wants := range map[string][]string{
		"comparison.md":   {`base \| one`, "Repeat: `steamer compare`", "| fetch\\_p50\\_ms |"},
		"comparison.html": {"FAIL", "9 valid and 1 discarded", "steady missed"},
	} {
		page, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		for _, want := range wants {
			require.Contains(t, string(page), want, name)
		}
	}
	// benchstat's own reader has to understand it.
	for file, median := range map[string]float64{"a.bench.txt": 1, "b.bench.txt": 2} {
		f, err := os.Open(filepath.Join(dir, file))
		require.NoError(t, err)
		r, results := benchfmt.NewReader(f, file), 0
		for r.Scan() {
			rec, ok := r.Result().(*benchfmt.Result)
			require.True(t, ok, "%v", r.Result())
			v, ok := rec.Value("fetch-p50-sec")
			require.True(t, ok)
			require.InEpsilon(t, median/1000, v, 0.5)
			results++
		}
		require.NoError(t, r.Err())
		require.Equal(t, 9, results, "valid slices only")
		require.NoError(t, f.Close())
	}
}
