package gate_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/result"
)

// recorded is the gate's work as it was once done: each part returns its record instead of doing
// it again.
func recorded(t *testing.T) gate.Work {
	t.Helper()
	evidence, err := gate.Read(runFile, checkFile, mutantsFile)
	require.NoError(t, err)
	runDir := t.TempDir()
	require.NoError(t, result.WriteFile(filepath.Join(runDir, "result.json"), evidence.Runs[0].Doc))
	return gate.Work{
		Dir: t.TempDir(), Steamer: "test",
		Check: func(context.Context) (*lint.Report, error) { return evidence.Checks[0].Doc, nil },
		Run:   func(context.Context) (*result.Result, string, error) { return evidence.Runs[0].Doc, runDir, nil },
		Mutants: func(context.Context) ([]mutation.Outcome, *mutation.Sample, error) {
			return evidence.Mutants[0].Doc.Outcomes, nil, nil
		},
	}
}

func TestCollect(t *testing.T) {
	t.Parallel()
	broken := exit.Environmentf("cluster", "", "gone")
	for name, tc := range map[string]struct {
		change func(*gate.Work)
		want   result.Verdict // empty: no decision
		code   exit.Code
		files  int
		asked  bool
	}{
		"everything":      {func(*gate.Work) {}, result.Pass, exit.Pass, 3, false},
		"without mutants": {func(w *gate.Work) { w.Mutants = nil }, result.Pass, exit.Pass, 2, false},
		"no worse": {func(w *gate.Work) {
			w.Compare = comparing(compared(t, 0.95, 0.02, released(t),
				nil), nil)
		}, result.Pass, exit.Pass, 4, false},
		"slower": {func(w *gate.Work) {
			w.Compare = comparing(compared(t, 1.3, 0.02, released(t),
				nil), nil)
		}, result.Fail, exit.Pass, 4, false},
		"compared half way": {func(w *gate.Work) {
			w.Compare = comparing(compared(t, 0.95, 0.02, released(t),
				cutShort), broken)
		}, result.Inconclusive, exit.Pass, 4, true},
		"could not compare": {
			func(w *gate.Work) { w.Compare = comparing("", broken) }, result.Inconclusive,
			exit.Pass, 3, true,
		},
		"run half way":     {func(w *gate.Work) { half(w, broken) }, result.Inconclusive, exit.Pass, 3, false},
		"nothing to check": {func(w *gate.Work) { w.Check = nil }, result.Inconclusive, exit.Pass, 2, false},
		"bad input": {func(w *gate.Work) {
			w.Check = failing[*lint.Report](exit.Invalidf("x", "",
				"no"))
		}, "", exit.Invalid, 0, false},
		"run left nothing": {func(w *gate.Work) { w.Run = none(broken) }, "", exit.Environment, 1, false},
		"mutants failed": {
			func(w *gate.Work) {
				w.Mutants = func(context.Context) ([]mutation.Outcome, *mutation.Sample, error) {
					return nil, nil, errors.New("defect")
				}
			},
			"", exit.Internal, 2, false,
		},
		"directory is gone": {func(w *gate.Work) { w.Dir = "/nowhere" }, "", exit.Environment, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := recorded(t)
			tc.change(&w)
			paths, err := w.Collect(t.Context())
			require.Equal(t, tc.code, exit.CodeOf(err), "%v", err)
			require.Len(t, paths, tc.files)
			if tc.want == "" {
				return
			}
			evidence, err := gate.Read(paths...)
			require.NoError(t, err)
			p := policy(t)
			p.Asked = tc.asked
			d, err := gate.Decide(evidence, p)
			require.NoError(t, err)
			require.Equal(t, tc.want, d.Verdict, "%q", d.Reasons)
		})
	}
}

func comparing(path string, err error) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return path, err }
}

// cutShort is a comparison that was kept from its end.
func cutShort(c *compare.Comparison) {
	c.Partial = true
	compare.Judge(c, nil)
}

func failing[T any](err error) func(context.Context) (T, error) {
	return func(context.Context) (T, error) { return *new(T), err }
}

func none(err error) func(context.Context) (*result.Result, string, error) {
	return func(context.Context) (*result.Result, string, error) { return nil, "", err }
}

// half has the run fail after it measured, and say so in its record.
func half(w *gate.Work, why error) {
	inner := w.Run
	w.Run = func(ctx context.Context) (*result.Result, string, error) {
		r, dir, _ := inner(ctx)
		r.Run.Partial = true
		return r, dir, errors.Join(why, result.WriteFile(filepath.Join(dir, "result.json"), r))
	}
}

// TestCollectIsInterrupted stops after the part that was running, and decides nothing.
func TestCollectIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	w := recorded(t)
	inner := w.Run
	var begun, ended []string
	w.Start = func(part string) func(error) {
		begun = append(begun, part)
		return func(error) { ended = append(ended, part) }
	}
	w.Run = func(ctx context.Context) (*result.Result, string, error) {
		cancel()
		return inner(ctx)
	}
	paths, err := w.Collect(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, paths, 2, "what was recorded before the interrupt, the interrupted run included: it may have proven "+
		"a fault")
	require.Equal(t, []string{"static checks", "suite and load"}, begun)
	require.Equal(t, begun, ended)
	_, err = os.Stat(filepath.Join(w.Dir, "mutants.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
