package run

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/topology"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newTestRun(out *bytes.Buffer) *Run {
	return &Run{UI: &Text{W: out}, result: &result.Result{Steps: []result.Step{}}}
}

func TestStepsAreRecordedWithTheirErrors(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := newTestRun(&out)
	require.NoError(t, r.step(t.Context(), "", "images", func(context.Context) error { return nil }))
	broken := errors.New("1 error occurred:\n\t* no space\n\n  hint: free some")
	require.ErrorIs(t, r.step(t.Context(), "cloud-native", "install", func(context.Context) error { return broken }),
		broken)
	require.Len(t, r.result.Steps, 2)
	require.Equal(t, "1 error occurred: * no space", r.result.Steps[1].Error, "on one line, without the hint")
	require.Equal(t, "cloud-native", r.result.Steps[1].Topology)
	require.Contains(t, out.String(), "▶ images\n✓ images")
	require.Contains(t, out.String(), "✗ cloud-native: install")
}

func TestNoStepStartsAfterCancellation(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := newTestRun(&bytes.Buffer{})
	err := r.step(ctx, "", "cluster", func(context.Context) error {
		t.Error("the step ran")
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, r.result.Steps)
}

func TestCleanUpIsReverseAndSurvivesCancellationAndErrors(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := newTestRun(&bytes.Buffer{})
	var order []string
	stuck := errors.New("stuck")
	for _, name := range []string{"engine", "cluster", "topology"} {
		r.undoLater(name, func(ctx context.Context) error {
			require.NoError(t, ctx.Err(), "clean-up works although the run was cancelled")
			_, bounded := ctx.Deadline()
			require.True(t, bounded)
			order = append(order, name)
			if name == "cluster" {
				return stuck
			}
			return nil
		})
	}
	require.ErrorIs(t, r.cleanUp(ctx), stuck)
	require.Equal(t, []string{"topology", "cluster", "engine"}, order,
		"one that fails does not keep the others from running")
	require.NoError(t, r.cleanUp(ctx), "nothing is undone twice")
}

func TestAChartThatDoesNotComeUpIsAFindingAndNotFatal(t *testing.T) {
	t.Parallel()
	s := &stage{}
	require.NoError(t, s.fatal(chartError{&topology.ChartError{Err: errors.New("sealed")}}))
	engine := exit.Environmentf("engine", "", "gone")
	require.Equal(t, engine, s.fatal(engine))
}

func TestEveryTierBecomesPodResources(t *testing.T) {
	t.Parallel()
	for _, tier := range load.Tiers() {
		r := resources(tier)
		require.Equal(t, tier.CPULimit, r.CPULimit)
		require.Equal(t, tier.Memory, r.MemoryLimit)
	}
}

func TestIDsSortByTimeAndDiffer(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 14, 55, 1, 0, time.UTC)
	a, err := newID(at)
	require.NoError(t, err)
	require.Regexp(t, regexp.MustCompile(`^20261123-145501-[0-9a-f]{4}$`), a)
	later, err := newID(at.Add(time.Second))
	require.NoError(t, err)
	require.Less(t, a, later)
}

func TestHostIsDescribed(t *testing.T) {
	t.Parallel()
	h := host()
	require.Positive(t, h.CPUs)
	require.Positive(t, h.MemoryMiB)
	require.NotEmpty(t, h.Kernel)
	require.NotEmpty(t, h.OS)
}

func TestBeginRefusesAnOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	r := &Run{Plan: &plan.Resolved{Plan: plan.Plan{Output: "/proc/nowhere"}}, UI: &Text{W: &bytes.Buffer{}}}
	_, _, err := r.Do(t.Context())
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	require.ErrorContains(t, err, "--output-dir /proc/nowhere")
}

func TestTextOverwritesOnlyOnATerminal(t *testing.T) {
	t.Parallel()
	for name, terminal := range map[string]bool{"log": false, "terminal": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			ui := &Text{W: &out, Terminal: terminal}
			ui.Progress("provisioned tenants", 1, 50)
			ui.Interval(result.Interval{Offset: 7, Phase: "measure", Fetches: 12}, time.Minute)
			ui.Note("done")
			require.Equal(t, terminal, bytes.Contains(out.Bytes(), []byte("\r")))
			require.Contains(t, out.String(), "    done\n")
		})
	}
}

// TestAnInterruptDoesNotHideAFailure ends runs after an interrupt: what had failed by then is the
// verdict.
func TestAnInterruptDoesNotHideAFailure(t *testing.T) {
	t.Parallel()
	for want, status := range map[result.Verdict]result.Status{
		result.Fail:         result.Failed,
		result.Inconclusive: result.Passed,
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := newTestRun(&bytes.Buffer{})
		r.dir = t.TempDir()
		r.Plan = &plan.Resolved{Plan: plan.Plan{SLO: "../../perf/slo.yaml", Scenarios: "all", Profile: "smoke"}}
		r.frame("20261129-120000-0000")
		r.result.Topologies = []result.Topology{{
			Name: topology.CloudNative, Scenarios: []result.Scenario{{
				ID: "access/own-secret", Title: "t", Protects: "p",
				Status: status, Reason: "why",
			}},
		}}
		require.NoError(t, r.end(ctx, ctx.Err()))
		kept, err := result.ReadFile(r.dir + "/result.json")
		require.NoError(t, err)
		require.Equal(t, want, kept.Verdict, "%q", kept.Reasons)
		require.Contains(t, kept.Reasons, "the run was interrupted")
	}
}
