package load_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
)

// runner starts this test binary, see TestMain; the workload names the misbehaviour.
func runner(t *testing.T, workload string) (load.Runner, load.Job) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, workload+".js"), nil, 0o600))
	self, err := os.Executable()
	require.NoError(t, err)
	r := load.Runner{Binary: self, Scripts: dir, Dir: dir, StopTimeout: 30 * time.Second}
	return r, load.Job{
		Name: "t", Rate: 2.5, Target: "http://127.0.0.1:1", Fixture: []byte(`{"jwt":"` + testJWT + `"}`),
		Profile: load.Profile{
			Name: "smoke", Workload: workload, Mode: "inline", Warmup: document.Duration(time.Second),
			Duration: document.Duration(2 * time.Second),
			VUs:      load.VUs{Initial: 3, Max: 7}, Connections: load.Connections{Reuse: true},
		},
	}
}

func TestRunPassesSettingsAndNothingElse(t *testing.T) {
	t.Setenv("CI_JOB_TOKEN", "must-not-leave")
	r, j := runner(t, "environment")
	j.Fixture = bytes.Repeat([]byte("x"), 1<<20) // more than a pipe holds
	var progress []result.Interval
	r.Progress = func(iv result.Interval) { progress = append(progress, iv) }
	l, err := r.Run(t.Context(), j)
	require.NoError(t, err)
	require.Empty(t, l.Partial)
	require.Equal(t, []string{"environment", "smoke", "inline", "http://127.0.0.1:1"}, []string{
		l.Workload, l.Profile,
		l.Mode, l.Target,
	})
	require.Equal(t, [3]float64{2.5, 1, 2}, [3]float64{l.OfferedRate, l.WarmupSeconds, l.MeasuredSeconds})
	require.Len(t, progress, 1)
	require.Positive(t, l.Generator.CPUSeconds)
	require.Positive(t, l.Generator.MaxRSSMiB)
	require.Greater(t, l.Generator.CPUShare, 0.0)
	require.LessOrEqual(t, l.Generator.CPUShare, 1.0)

	var seen struct {
		Args, Env []string
		Fixture   int
	}
	b, err := os.ReadFile(filepath.Join(r.Dir, "k6-t.ndjson.seen"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &seen))
	require.Equal(t, 1<<20, seen.Fixture)
	for _, want := range []string{
		"STEAMER_RATE=2.5", "STEAMER_WARMUP=1s", "STEAMER_DURATION=2s", "STEAMER_VUS=3",
		"STEAMER_MAX_VUS=7", "STEAMER_REUSE=true", "STEAMER_MODE=inline", "STEAMER_FIXTURE=/dev/fd/3",
	} {
		require.Contains(t, seen.Env, want)
	}
	require.False(t, slices.ContainsFunc(seen.Env, func(s string) bool { return strings.Contains(s, "must-not-leave") }))
	require.Subset(t, seen.Args, []string{"--no-usage-report", "--quiet"})
}

func TestRunEndings(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		wantErr string // "" means none
		code    exit.Code
		partial string
		noLoad  bool
	}{
		"exception": {
			wantErr: "k6 ended with exit code 107: the script threw an exception", code: exit.Environment,
			partial: "k6 stopped before the end: exception",
		},
		"mute":       {wantErr: "exit code 104: the script's options are invalid", code: exit.Environment, noLoad: true},
		"thresholds": {},
		"deaf":       {}, // ends well without having read its fixture
		"killed":     {wantErr: "ended by signal 9", code: exit.Environment, partial: "no summary"},
		"garbage":    {wantErr: "line 2 is not k6 interval output", code: exit.Environment, noLoad: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, j := runner(t, name)
			j.Fixture = bytes.Repeat(j.Fixture, 10_000) // nobody reads it: the writer must not hang
			l, err := r.Run(t.Context(), j)
			require.Equal(t, tc.code, exit.CodeOf(err))
			if tc.wantErr != "" {
				require.ErrorContains(t, err, tc.wantErr)
				require.NotContains(t, err.Error(), "eyJ", "no token in an error")
			}
			if tc.noLoad {
				require.Nil(t, l)
				return
			}
			require.Contains(t, l.Partial, tc.partial)
		})
	}
}

func TestRunKeepsWhatK6Said(t *testing.T) {
	t.Parallel()
	r, j := runner(t, "exception")
	_, err := r.Run(t.Context(), j)
	var k *load.K6Error
	require.ErrorAs(t, err, &k)
	require.Equal(t, 107, k.ExitCode)
	require.Equal(t, "ERRO something about [redacted]\nERRO TypeError: secret is undefined", k.Stderr)

	r, j = runner(t, "thresholds")
	l, err := r.Run(t.Context(), j)
	require.NoError(t, err)
	require.Equal(t, map[string]float64{"k6_thresholds_failed": 1}, l.Extra)
}

func TestRunIsCancelled(t *testing.T) {
	t.Parallel()
	stop := errors.New("user pressed Ctrl-C")
	for name, wait := range map[string]time.Duration{"obedient": 30 * time.Second, "stubborn": time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			r, j := runner(t, name)
			r.StopTimeout = wait
			r.Progress = func(result.Interval) { cancel(stop) }
			l, err := r.Run(ctx, j)
			require.ErrorIs(t, err, stop)
			require.NotNil(t, l, "what was measured is kept")
			require.EqualValues(t, 1, min(l.Fetches, 1))
			want := map[string]string{"obedient": "signal: interrupt", "stubborn": "no summary"}[name]
			require.Contains(t, l.Partial, want)
		})
	}
}

func TestRunOverruns(t *testing.T) {
	t.Parallel()
	r, j := runner(t, "obedient")
	j.Profile.Warmup, j.Profile.Duration, r.Overrun = 0, document.Duration(time.Second), time.Second
	l, err := r.Run(t.Context(), j)
	require.ErrorContains(t, err, "still running 1s after its planned end")
	require.Equal(t, exit.Environment, exit.CodeOf(err))
	require.NotEmpty(t, l.Partial)
}

func TestRunNeedsItsFiles(t *testing.T) {
	t.Parallel()
	r, j := runner(t, "mute")
	j.Profile.Workload = "absent"
	_, err := r.Run(t.Context(), j)
	require.ErrorContains(t, err, "absent.js")
	require.Equal(t, exit.Environment, exit.CodeOf(err))
	r, j = runner(t, "mute")
	r.Binary = filepath.Join(r.Dir, "k6")
	_, err = r.Run(t.Context(), j)
	require.ErrorContains(t, err, "build the load generator")
}
