package faults

import (
	"context"
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
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/check"
)

// scheduleOf has a step of 5 s for each name.
func scheduleOf(names ...string) *Schedule {
	s := &Schedule{APIVersion: codec.APIVersion, Kind: codec.Kind, Seed: 7}
	for _, name := range names {
		s.Steps = append(s.Steps, Step{
			Fault: name, After: document.Duration(2 * time.Second), Length: document.Duration(5 * time.Second),
		})
	}
	return s
}

// reportOf is the report of a run that violates some rules.
func reportOf(rules ...string) *check.Report {
	r := &check.Report{Rules: map[string]int{}}
	for _, rule := range rules {
		r.Rules[rule]++
		v := check.Violation{Rule: rule, Title: "title", Where: "t0/policy:p1", What: "granted"}
		for i := range int64(9) {
			v.Steps = append(v.Steps, check.Step{Call: 3e6 + i, Text: "use: ok"})
			v.Moments = append(v.Moments, check.Moment{Time: 1e6 * i, Text: "fault"})
		}
		v.Steps = v.Steps[:3]
		r.Violations = append(r.Violations, v)
	}
	return r
}

// shrinkerOf has a server that violates what fails says.
func shrinkerOf(t *testing.T, schedule *Schedule, fails func(Options) []string) *Shrinker {
	t.Helper()
	return &Shrinker{
		Options: Options{
			Schedule: schedule, Rate: 100, Clients: 8, Tenants: 3, Secrets: 10, Dir: t.TempDir(), Progress: func(string) {},
		},
		Times: 2, Runs: 200,
		run: func(ctx context.Context, o Options) (*check.Report, error) {
			require.NoError(t, checkSchedule(o.Schedule))
			require.NoError(t, o.Validate())
			require.NoError(t, os.WriteFile(filepath.Join(o.Dir, history.FileName), []byte("history"), 0o600))
			return reportOf(fails(o)...), ctx.Err()
		},
	}
}

func faultsOf(s *Schedule) []string {
	var names []string
	for _, step := range s.Steps {
		names = append(names, step.Fault)
	}
	return names
}

// TestShrink: what is not needed is cut, in faults, times and workload, and what is needed stays.
func TestShrink(t *testing.T) {
	t.Parallel()
	first := scheduleOf("term-active", "pg-crash", "step-down", "kill-standby", "freeze-late", "db-cut", "pause-active")
	tries := 0
	s := shrinkerOf(t, first, func(o Options) []string {
		names := faultsOf(o.Schedule)
		crash, late := slices.Index(names, "pg-crash"), slices.Index(names, "freeze-late")
		switch {
		case crash < 0:
			return []string{"C5"} // another violation
		case late > crash && o.Clients >= 3 && o.Schedule.Steps[crash].Length > 0:
			if tries++; tries%2 == 0 { // each second run
				return []string{"S2"}
			}
		}
		return nil
	})
	s.Rules = []string{"S2"}
	least, report, err := s.Shrink(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"pg-crash", "freeze-late"}, faultsOf(least))
	require.Equal(t, 5*time.Second, time.Duration(least.Steps[0].Length), "is needed")
	require.Equal(t, 300*time.Millisecond, time.Duration(least.Steps[1].Length))
	require.Equal(t, leastAfter, time.Duration(least.Steps[1].After))
	require.Equal(t, 4, least.Workload.Clients)
	require.Equal(t, 1, least.Workload.Tenants)
	require.Equal(t, 1, least.Workload.Secrets)
	require.Equal(t, []string{"S2"}, least.Finding.Rules)
	require.Equal(t, 2, least.Finding.Runs)
	require.Equal(t, 1, least.Finding.Reproduced)
	require.Len(t, least.Finding.Story, storyLines)
	require.Contains(t, least.Finding.Story[0], "2 of 7 faults, 4 clients, 1 tenants with 1 secrets: 1 of 2 runs")
	require.Contains(t, least.Finding.Story[1], "S2 (title), t0/policy:p1: granted")
	require.Equal(t, 1, report.Rules["S2"])
	require.Len(t, first.Steps, 7, "the given schedule stays as it is")

	left, err := os.ReadDir(s.Dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "the history of the run that failed, and nothing of the others")
	path := filepath.Join(t.TempDir(), "shrunk.json")
	require.NoError(t, least.WriteFile(path))
	read, err := ReadSchedule(path)
	require.NoError(t, err)
	require.Equal(t, least, read)
	again := Options{Schedule: read}
	again.Take()
	require.Equal(t, 4, again.Clients)
}

// TestShrinkWeakens: a fault gives way to one that does part of the same, as long as that fails,
// with a length that it can have.
func TestShrinkWeakens(t *testing.T) {
	t.Parallel()
	s := shrinkerOf(t, scheduleOf("pg-promote", "kill-active"), func(o Options) []string {
		names := faultsOf(o.Schedule)
		if len(names) == 2 && strings.HasPrefix(names[0], "pg-") && names[0] != "pg-terminate" {
			return []string{"C5"}
		}
		return nil
	})
	least, _, err := s.Shrink(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"pg-restart", "step-down"}, faultsOf(least))
	require.Zero(t, least.Steps[0].Length)
	require.Zero(t, least.Steps[1].Length)
}

// TestWeaker: every chain of weaker faults ends.
func TestWeaker(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		seen := map[string]bool{}
		for name := k.name; name != ""; name = kindOf(name).weaker {
			require.Contains(t, Kinds(), name, k.name)
			require.False(t, seen[name], "%s leads to itself", k.name)
			seen[name] = true
		}
	}
}

// TestShrinkEnds: what does not fail, too few runs, an interrupt and a server that does not start.
func TestShrinkEnds(t *testing.T) {
	t.Parallel()
	schedule := scheduleOf("db-cut", "step-down", "db-delay", "pg-full")
	s := shrinkerOf(t, schedule, func(Options) []string { return nil })
	least, report, err := s.Shrink(t.Context())
	require.NoError(t, err)
	require.Nil(t, least)
	require.Nil(t, report)
	require.Equal(t, 2, s.ran)

	s = shrinkerOf(t, schedule, func(Options) []string { return []string{"S6"} })
	s.Runs = 2
	var progress []string
	s.Progress = func(line string) { progress = append(progress, line) }
	least, _, err = s.Shrink(t.Context())
	require.NoError(t, err)
	require.Len(t, least.Steps, 2, "as far as it came")
	require.Equal(t, 2, least.Finding.Reproduced)
	require.Contains(t, progress, "2 runs are used: what was reached may not be the least")

	ctx, cancel := context.WithCancel(t.Context())
	s = shrinkerOf(t, schedule, func(Options) []string {
		if s.ran == 3 {
			cancel()
		}
		return []string{"S6"}
	})
	least, report, err = s.Shrink(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.NotNil(t, least)
	require.Zero(t, least.Finding.Runs)
	require.NotNil(t, report)

	broken := errors.New("does not start")
	s.run = func(context.Context, Options) (*check.Report, error) { return nil, broken }
	_, _, err = s.Shrink(t.Context())
	require.ErrorIs(t, err, broken)
}

func TestShrinkerValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, (&Shrinker{Times: 1, Runs: 1, Rules: []string{"S2"}}).Validate())
	for want, s := range map[string]*Shrinker{
		"--times 0":   {Runs: 1},
		"--runs 5000": {Times: 1, Runs: 5000},
		"--rules S99": {Times: 1, Runs: 1, Rules: []string{"S99"}},
	} {
		err := s.Validate()
		require.ErrorContains(t, err, want)
		require.Equal(t, exit.Invalid, exit.CodeOf(err))
	}
}
