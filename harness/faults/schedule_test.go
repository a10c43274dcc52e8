package faults

import (
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
)

// TestDraw: a seed gives one schedule, of the kinds that were asked for, and each kind comes up.
func TestDraw(t *testing.T) {
	t.Parallel()
	first, err := Draw(7, 50, nil)
	require.NoError(t, err)
	again, err := Draw(7, 50, nil)
	require.NoError(t, err)
	require.Equal(t, first, again)
	other, err := Draw(8, 50, nil)
	require.NoError(t, err)
	require.NotEqual(t, first.Steps, other.Steps)

	for _, place := range []Place{
		{}, {Topology: "cloud-native"}, {Topology: "cloud-native", NoEngine: true}, {
			Topology: "cloud-native-hybrid",
			NoChange: true,
		},
	} {
		drawn := map[string]int{}
		many, err := DrawFor(place, 9, 2000, nil)
		require.NoError(t, err)
		for _, step := range many.Steps {
			drawn[step.Fault]++
			k := kindOf(step.Fault)
			require.Empty(t, place.lacks(k))
			require.GreaterOrEqual(t, time.Duration(step.Length), k.shortest)
			require.LessOrEqual(t, time.Duration(step.Length), max(k.shortest, k.longest))
		}
		possible := slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool { return k.named || place.lacks(k) != "" })
		require.Len(t, drawn, len(possible))
		require.NoError(t, many.Fits(place))
		path := filepath.Join(t.TempDir(), "schedule.json")
		require.NoError(t, many.WriteFile(path))
		read, err := ReadSchedule(path)
		require.NoError(t, err)
		require.Equal(t, many, read)
	}

	some, err := Draw(7, 50, []string{"step-down"})
	require.NoError(t, err)
	for _, step := range some.Steps {
		require.Equal(t, "step-down", step.Fault)
	}
	less, err := Draw(7, 200, []string{"-step-down", "-freeze-late"})
	require.NoError(t, err)
	for _, step := range less.Steps {
		require.NotContains(t, []string{"step-down", "freeze-late"}, step.Fault)
	}
	for _, tc := range []struct {
		faults int
		kinds  []string
		want   string
	}{
		{5, []string{"step-down", "-step-down"}, "no fault is left"},
		{0, nil, "--faults 0"},
		{1_000_000, nil, "--faults 1000000"},
		{5, []string{"flood"}, "--kinds flood"},
	} {
		_, err := Draw(7, tc.faults, tc.kinds)
		require.ErrorContains(t, err, tc.want)
		require.Equal(t, exit.Invalid, exit.CodeOf(err))
	}
}

// TestScheduleFile: what was written is read, and what no run wrote is refused.
func TestScheduleFile(t *testing.T) {
	t.Parallel()
	s, err := Draw(7, 3, nil)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "schedule.json")
	require.NoError(t, s.WriteFile(path))
	read, err := ReadSchedule(path)
	require.NoError(t, err)
	require.Equal(t, s, read)
	require.Equal(t, 4, strings.Count(s.String(), "\n"))

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, change := range map[string][2]string{
		"version":  {"steamer/v1", "steamer/v9"},
		"kind":     {"FaultSchedule", "Plan"},
		"fault":    {`"fault": "` + s.Steps[0].Fault, `"fault": "flood`},
		"field":    {`"after"`, `"afterwards"`},
		"time":     {`"after": "`, `"after": "-`},
		"cut":      {"]\n}", ""},
		"too-long": {`"length": "`, `"length": "999h`},
	} {
		bad := filepath.Join(t.TempDir(), name)
		changed := strings.Replace(string(text), change[0], change[1], 1)
		require.NotEqual(t, string(text), changed, name)
		require.NoError(t, os.WriteFile(bad, []byte(changed), 0o600))
		_, err := ReadSchedule(bad)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), "%s: %v", name, err)
	}
	_, err = ReadSchedule(filepath.Join(t.TempDir(), "none"))
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	require.Error(t, checkSchedule(&Schedule{Steps: []Step{{Fault: "step-down", After: document.Duration(-1)}}}))
}

// TestReceipts: a fault that should have moved the lock and did not has no effect.
func TestReceipts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		proof, fault string
		moved        bool
		want         string
	}{
		{history.Confirmed, "kill-active", true, history.Confirmed},
		{history.Confirmed, "kill-active", false, history.Mismatched},
		{history.Confirmed, "freeze-active", false, history.Mismatched},
		{history.Confirmed, "step-down", false, history.Mismatched},
		{history.Confirmed, "kill-standby", false, history.Confirmed},
		{history.Confirmed, "pause-active", false, history.Confirmed},
		{history.Confirmed, "seal-active", false, history.Mismatched},
		{history.Confirmed, "commit-after", false, history.Confirmed},
		{history.Inconclusive, "pg-full", true, history.Inconclusive},
		{history.Inconclusive, "kill-active", true, history.Inconclusive},
		{history.Mismatched, "step-down", true, history.Mismatched},
	} {
		require.Equal(t, tc.want, receiptOf(tc.proof, kindOf(tc.fault), tc.moved), "%+v", tc)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	good := Options{Rate: 100, Clients: 4, Tenants: 2, Secrets: 3, Schedule: scheduleOf("pg-full")}
	require.NoError(t, good.Validate())
	for flag, change := range map[string]func(*Options){
		"--pgbouncer statement":  func(o *Options) { o.Server.PgBouncer = "statement" },
		"-pg-terminate,-pg-full": func(o *Options) { o.Server.PgBouncer = "session" },
		"--rate 0":               func(o *Options) { o.Rate = 0 },
		"--clients 0":            func(o *Options) { o.Clients = 0 },
		"--tenants -1":           func(o *Options) { o.Tenants = -1 },
		"--secrets 0":            func(o *Options) { o.Secrets = 0 },
		"--ops -1":               func(o *Options) { o.Ops = -1 },
	} {
		bad := good
		change(&bad)
		err := bad.Validate()
		require.ErrorContains(t, err, flag)
		require.Equal(t, exit.Invalid, exit.CodeOf(err))
	}
}

// TestDuration: no fault begins after the time is over, and the progress says how many were done.
func TestDuration(t *testing.T) {
	t.Parallel()
	s, err := Draw(1, 3, []string{"db-cut"})
	require.NoError(t, err)
	var progress []string
	o := Options{Schedule: s, Duration: 1, Progress: func(line string) { progress = append(progress, line) }}
	require.NoError(t, o.faults(t.Context(), nil))
	require.Equal(t, []string{"1ns are over: 0 of 3 faults were done"}, progress)
}
