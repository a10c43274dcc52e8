package load_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// TestRealK6 drives the real k6 with our extension against a real OpenBao on a
// real PostgreSQL, provisioned as Rails does.
func TestRealK6(t *testing.T) {
	ctx := t.Context()
	site := loadtest.Start(t, localbao.Options{}, "k6", 8, 2)

	dir := t.TempDir()
	runner := load.Runner{Binary: loadtest.K6(t), Scripts: "../../perf/scripts", Dir: dir}
	job := func(name, seed string, duration time.Duration) load.Job {
		return load.Job{Name: name, Rate: 20, Target: site.Server.Address, Fixture: site.Document(t, site.Server.Address,
			seed), Profile: load.Profile{
			Name: "test", Workload: "fetch", Mode: "inline", Warmup: document.Duration(2 * time.Second),
			Duration: document.Duration(duration), VUs: load.VUs{Initial: 50, Max: 50},
		}}
	}
	rig := &rig{Site: site, runner: runner, job: job}
	// Those that count arrivals or measure a rate have the machine to themselves.
	t.Run("stages", rig.stages)
	t.Run("mixed", rig.mixed)
	t.Run("retries", rig.retries)
	t.Run("wrong value", rig.wrongValue)
	noToken := func(t *testing.T, j load.Job) {
		t.Helper()
		log, err := os.ReadFile(filepath.Join(dir, "k6-"+j.Name+".ndjson"))
		require.NoError(t, err)
		loadtest.NoToken(t, j.Fixture, string(log))
	}

	t.Run("to the end", func(t *testing.T) {
		var seen []result.Interval
		r := runner
		r.Progress = func(iv result.Interval) { seen = append(seen, iv) }
		j := job("end", "k6", 5*time.Second)
		l, err := r.Run(ctx, j)
		require.NoError(t, err)
		require.Empty(t, l.Partial)
		require.InDelta(t, 100, arrivals(l), 1)
		require.Equal(t, [2]int64{0, 0}, [2]int64{l.Failed, l.Wrong}, "%v", l.Extra)
		require.Equal(t, map[string]int64{"200": l.Fetches}, l.Statuses)
		require.Equal(t, [2]int64{l.Fetches, l.Fetches}, [2]int64{l.Actual.Count, l.Intended.Count})
		require.LessOrEqual(t, l.AchievedRate, float64(l.Fetches)/5+1e-9, "what ends after the end does not count")
		require.Positive(t, l.AchievedRate)
		require.Greater(t, l.Actual.P50, 0.2, "no fetch takes less than 0.2 ms")
		require.GreaterOrEqual(t, l.Intended.P50, l.Actual.P50)
		require.NotEmpty(t, l.Generator.Version)
		require.Greater(t, l.Generator.CPUSeconds, 0.05)
		require.Greater(t, l.Generator.MaxRSSMiB, 10.0)
		require.Equal(t, l.Series, seen)
		noToken(t, j)
		t.Logf("p50 %.1f ms, p99 %.1f ms; k6 used %.2f CPU s, %.0f MiB", l.Intended.P50, l.Intended.P99,
			l.Generator.CPUSeconds, l.Generator.MaxRSSMiB)
	})
	t.Run("wrong values", func(t *testing.T) {
		t.Parallel()
		l, err := runner.Run(ctx, job("wrong-seed", "another seed", 2*time.Second))
		require.NoError(t, err, "judging is the gate's work")
		require.Equal(t, l.Fetches, l.Wrong)
		require.Positive(t, l.Wrong)
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		stop := errors.New("enough")
		r := runner
		r.Progress = func(iv result.Interval) {
			if iv.Phase == "measure" {
				cancel(stop)
			}
		}
		began := time.Now()
		j := job("cancelled", "k6", 5*time.Minute)
		l, err := r.Run(ctx, j)
		require.ErrorIs(t, err, stop)
		require.Less(t, time.Since(began), time.Minute)
		require.Contains(t, l.Partial, "k6 stopped before the end")
		require.Positive(t, l.Fetches)
		noToken(t, j)
	})
	t.Run("broken fixture", func(t *testing.T) {
		t.Parallel()
		j := job("broken", "k6", 2*time.Second)
		j.Fixture = []byte(strings.Replace(string(j.Fixture), `"version":1`, `"version":9`, 1))
		_, err := runner.Run(ctx, j)
		require.ErrorContains(t, err, "the script threw an exception")
		require.ErrorContains(t, err, "version", "k6 says what is wrong with it")
		require.NotContains(t, err.Error(), "eyJ")
	})
}
