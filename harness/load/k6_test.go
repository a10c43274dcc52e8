package load_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/bao"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/localbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/result/strict"
)

// k6Binary returns $STEAMER_K6 or builds our k6.
func k6Binary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("STEAMER_K6"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "k6")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/k6")
	cmd.Dir = "../../perf"
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// TestRealK6 drives the real k6 with our extension against a real OpenBao on a
// real PostgreSQL, provisioned as Rails does.
func TestRealK6(t *testing.T) {
	ctx := t.Context()
	s, err := localbao.Start(ctx, localbao.Options{})
	require.NoError(t, err)
	defer s.Stop()
	issuer, err := gitlab.NewIssuer(s.Issuer, gitlab.RS256)
	require.NoError(t, err)
	jwks, err := issuer.JWKS()
	require.NoError(t, err)
	s.Publish(jwks)
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	tenants, err := gitlab.Plan(recipes, 8, 2)
	require.NoError(t, err)
	client := bao.New(s.Address, nil)
	defer client.Close()
	_, err = (&gitlab.Seeder{Client: client, Issuer: issuer, Audience: s.Audience, Seed: "k6", Recipes: recipes}).Run(ctx, tenants)
	require.NoError(t, err)

	dir := t.TempDir()
	runner := load.Runner{Binary: k6Binary(t), Scripts: "../../perf/scripts", Dir: dir}
	job := func(name, seed string, duration time.Duration) load.Job {
		f, err := gitlab.NewFixture(s.Address, seed, s.Audience, issuer, tenants, time.Hour)
		require.NoError(t, err)
		doc, err := json.Marshal(f)
		require.NoError(t, err)
		return load.Job{Name: name, Rate: 20, Target: s.Address, Fixture: doc, Profile: load.Profile{
			Name: "test", Workload: "fetch", Mode: "inline", Warmup: strict.Duration(2 * time.Second), Duration: strict.Duration(duration), VUs: load.VUs{Initial: 50, Max: 50},
		}}
	}
	rig := &rig{runner: runner, server: s, issuer: issuer, recipes: recipes, tenants: tenants, job: job}
	t.Run("stages", rig.stages)
	t.Run("mixed", rig.mixed)
	t.Run("retries", rig.retries)
	t.Run("wrong value", rig.wrongValue)
	noToken := func(t *testing.T, name string) {
		log, err := os.ReadFile(filepath.Join(dir, "k6-"+name+".ndjson"))
		require.NoError(t, err)
		require.NotContains(t, string(log), "eyJ")
	}

	t.Run("to the end", func(t *testing.T) {
		var seen []result.Interval
		r := runner
		r.Progress = func(iv result.Interval) { seen = append(seen, iv) }
		l, err := r.Run(ctx, job("end", "k6", 5*time.Second))
		require.NoError(t, err)
		require.Empty(t, l.Partial)
		require.InDelta(t, 100, arrivals(l), 1)
		require.Equal(t, [2]int64{0, 0}, [2]int64{l.Failed, l.Wrong}, "%v", l.Extra)
		require.Equal(t, map[string]int64{"200": l.Fetches}, l.Statuses)
		require.Equal(t, [2]int64{l.Fetches, l.Fetches}, [2]int64{l.Actual.Count, l.Intended.Count})
		require.InDelta(t, float64(l.Fetches)/5, l.AchievedRate, 0.5)
		require.Greater(t, l.Actual.P50, 0.2, "no fetch takes less than 0.2 ms")
		require.GreaterOrEqual(t, l.Intended.P50, l.Actual.P50)
		require.NotEmpty(t, l.Generator.Version)
		require.Greater(t, l.Generator.CPUSeconds, 0.05)
		require.Greater(t, l.Generator.MaxRSSMiB, 10.0)
		require.Equal(t, l.Series, seen)
		noToken(t, "end")
		t.Logf("p50 %.1f ms, p99 %.1f ms; k6 used %.2f CPU s, %.0f MiB", l.Intended.P50, l.Intended.P99, l.Generator.CPUSeconds, l.Generator.MaxRSSMiB)
	})
	t.Run("wrong values", func(t *testing.T) {
		l, err := runner.Run(ctx, job("wrong", "another seed", 2*time.Second))
		require.NoError(t, err, "judging is the gate's work")
		require.Equal(t, l.Fetches, l.Wrong)
		require.Positive(t, l.Wrong)
	})
	t.Run("cancelled", func(t *testing.T) {
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
		l, err := r.Run(ctx, job("cancelled", "k6", 5*time.Minute))
		require.ErrorIs(t, err, stop)
		require.Less(t, time.Since(began), time.Minute)
		require.Contains(t, l.Partial, "k6 stopped before the end")
		require.Positive(t, l.Fetches)
		noToken(t, "cancelled")
	})
	t.Run("broken fixture", func(t *testing.T) {
		j := job("broken", "k6", 2*time.Second)
		j.Fixture = []byte(strings.Replace(string(j.Fixture), `"version":1`, `"version":9`, 1))
		_, err := runner.Run(ctx, j)
		require.ErrorContains(t, err, "the script threw an exception")
		require.ErrorContains(t, err, "version", "k6 says what is wrong with it")
		require.NotContains(t, err.Error(), "eyJ")
	})
}
