package steps_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/steps"
)

func TestStepsAreRecordedWithTheirErrors(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := steps.New(&steps.Text{W: &out})
	require.NoError(t, s.Do(t.Context(), "", "images", func(context.Context) error { return nil }))
	broken := errors.New("1 error occurred:\n\t* no space\n\n  hint: free some")
	require.ErrorIs(t, s.Do(t.Context(), "cloud-native", "install", func(context.Context) error { return broken }), broken)
	require.Len(t, s.Done(), 2)
	require.Equal(t, "1 error occurred: * no space", s.Done()[1].Error, "on one line, without the hint")
	require.Equal(t, "cloud-native", s.Done()[1].Topology)
	require.Contains(t, out.String(), "▶ images\n✓ images")
	require.Contains(t, out.String(), "✗ cloud-native: install")
}

func TestNoStepStartsAfterCancellation(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := steps.New(steps.Quiet())
	err := s.Do(ctx, "", "cluster", func(context.Context) error {
		t.Error("the step ran")
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []result.Step{}, s.Done())
}

func TestCleanIsReverseAndSurvivesCancellationAndErrors(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := steps.New(steps.Quiet())
	var order []string
	stuck := errors.New("stuck")
	undo := map[string]*steps.Undo{}
	for _, name := range []string{"engine", "cluster", "kept", "first topology", "second topology"} {
		undo[name] = s.Cleanup(name, func(ctx context.Context) error {
			require.NoError(t, ctx.Err(), "it works although the command was cancelled")
			deadline, bounded := ctx.Deadline()
			require.True(t, bounded)
			require.WithinDuration(t, time.Now().Add(steps.CleanupTimeout), deadline, time.Minute)
			order = append(order, name)
			if name == "cluster" {
				return stuck
			}
			return nil
		})
	}
	require.NoError(t, undo["first topology"].Now(ctx))
	undo["kept"].Forget()
	require.ErrorIs(t, s.Clean(ctx), stuck)
	require.Equal(t, []string{"first topology", "second topology", "cluster", "engine"}, order,
		"each once, and one that fails does not keep the others from being called")
	require.NoError(t, s.Clean(ctx), "nothing is undone twice")
	require.NoError(t, undo["engine"].Now(ctx))
	require.Len(t, s.Done(), 4)
	require.Equal(t, "clean up: cluster", s.Done()[2].Name)
	require.Equal(t, "stuck", s.Done()[2].Error)
}

func TestOneLineIsShort(t *testing.T) {
	t.Parallel()
	long := steps.OneLine(errors.New(strings.Repeat("é", 500)))
	require.Less(t, len(long), 410)
	require.True(t, strings.HasSuffix(long, "é …"), "no rune is cut")
}

// TestScenariosSayWhereTheyRan, where there is more than one place.
func TestScenariosSayWhereTheyRan(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		topology string
		shard    int
	}{"✓ a/b (0.0 s)": {}, "✓ hybrid a/b (0.0 s)": {"hybrid", 0}, "✓ hybrid/2 a/b (0.0 s)": {"hybrid", 2}} {
		var out bytes.Buffer
		ui := &steps.Text{W: &out}
		ui.Scenario(c.topology, result.Scenario{ID: "a/b", Status: result.Passed, Shard: c.shard})
		require.Equal(t, "    "+want+"\n", out.String())
	}
}

func TestTextOverwritesOnlyOnATerminal(t *testing.T) {
	t.Parallel()
	for name, terminal := range map[string]bool{"log": false, "terminal": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			ui := &steps.Text{W: &out, Terminal: terminal}
			ui.Progress("provisioned tenants", 1, 50)
			ui.Interval(result.Interval{Offset: 7, Phase: "measure", Fetches: 12}, time.Minute)
			ui.Interval(result.Interval{Offset: 60, Phase: "measure", Fetches: 1}, time.Minute)
			ui.Note("done")
			require.NotContains(t, out.String(), "60 of 60 s", "the load has ended")
			require.Equal(t, terminal, bytes.Contains(out.Bytes(), []byte("\r")))
			require.Contains(t, out.String(), "    done\n")
		})
	}
}
