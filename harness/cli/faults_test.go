package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/history/historytest"
	"gitlab.com/steamer/steamer/harness/result"
)

// TestFaultsCheck: the verdict of a history is the exit code, in text and in JSON.
func TestFaultsCheck(t *testing.T) {
	t.Parallel()
	generate := func(change func(*historytest.History)) []byte {
		h := historytest.Generate(historytest.Options{Seed: 1, Clients: 3, Keys: 2, Ops: 60})
		change(h)
		return h.Bytes()
	}
	good := generate(func(*historytest.History) {})
	for name, tc := range map[string]struct {
		data []byte
		code exit.Code
		want string
	}{
		"pass": {good, exit.Pass, "one order explains every answer"},
		"fail": {generate(func(h *historytest.History) {
			last := h.Ops[len(h.Ops)-1]
			last.Result, last.Value = history.Absent, history.Value{}
		}), exit.Fail, "C5 (acknowledged versions stay)"},
		"killed": {
			generate(func(h *historytest.History) { h.Incomplete = true }), exit.Inconclusive,
			"killed or interrupted",
		},
		"cut":     {good[:len(good)/2], exit.Invalid, "cut off"},
		"nothing": {nil, exit.Invalid, "the file is empty"},
		"twice": {generate(func(h *historytest.History) {
			for _, o := range h.Ops {
				o.Value.Counter = min(o.Value.Counter, 1)
			}
		}), exit.Invalid, "write one value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "history")
			require.NoError(t, os.WriteFile(path, tc.data, 0o600))
			code, text, message := call(t, "faults", "check", path)
			require.Equal(t, tc.code, code, message)
			require.Contains(t, text+message, tc.want)
			if code == exit.Invalid {
				require.Contains(t, message, path)
				return
			}
			again, record, _ := call(t, "faults", "check", path, "-o", "json")
			require.Equal(t, code, again)
			var report check.Report
			require.NoError(t, json.Unmarshal([]byte(record), &report))
			require.Equal(t, check.Kind, report.Kind)
			require.Equal(t, code == exit.Fail, report.Verdict == result.Fail)
			require.Equal(t, code == exit.Fail, len(report.Violations) > 0)
		})
	}
	code, _, message := call(t, "faults", "check", filepath.Join(t.TempDir(), "none"))
	require.Equal(t, exit.Invalid, code, message)
	code, _, message = call(t, "faults", "check", "x", "-o", "yaml")
	require.Equal(t, exit.Invalid, code, message)
	require.Contains(t, message, "--format")
}

// TestFaultsRefuses: what cannot be run is refused before anything is made or started.
func TestFaultsRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	schedule := filepath.Join(dir, "schedule.json")
	require.NoError(t, os.WriteFile(schedule, []byte(`{"apiVersion":"steamer/v9","kind":"FaultSchedule"}`), 0o600))
	output := filepath.Join(dir, "runs")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"audit":           {[]string{"--audit"}, "--local"},
		"raft":            {[]string{"--dialect", "vault"}, "on PostgreSQL"},
		"processes' kind": {[]string{"--kinds", "commit-after"}, "it needs processes"},
		"pods' kind":      {[]string{"--local", "--kinds", "drain"}, "it needs a cluster"},
		"others' cluster": {[]string{"--context", "none", "--kinds", "net-db-drop"}, "of Steamer's own"},
		"no change":       {[]string{"--dialect", "community", "--kinds", "config-change"}, "cache-size"},
		"topology":        {[]string{"--topology", "cloud"}, "cloud"},
		"installed":       {[]string{"--local", "--keep"}, "--keep"},
		"faults":          {[]string{"--local", "--faults", "0"}, "--faults 0"},
		"kinds":           {[]string{"--local", "--kinds", "flood"}, "--kinds flood"},
		"duration":        {[]string{"--local", "--duration", "-1s"}, "--duration -1s"},
		"two-ends":        {[]string{"--local", "--duration", "1h", "--ops", "9"}, "--ops says"},
		"load":            {[]string{"--local", "--load", "-1"}, "--load -1"},
		"rate":            {[]string{"--local", "--rate", "NaN"}, "--rate NaN"},
		"clients":         {[]string{"--local", "--clients", "1000"}, "--clients 1000"},
		"format":          {[]string{"--local", "-o", "yaml"}, "--format"},
		"schedule":        {[]string{"--local", "--schedule", schedule}, "newer"},
		"schedule-twice":  {[]string{"--local", "--schedule", schedule, "--seed", "1"}, "leave out"},
		"deadlines":       {[]string{"deadlines"}, "--local"},
		"deadlines-kinds": {[]string{"deadlines", "--local", "--kinds", "flood"}, "--kinds flood"},
		"unknown-command": {[]string{"again"}, "again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, message := call(t, append([]string{"faults"}, append(tc.args, "--output-dir", output)...)...)
			require.Equal(t, exit.Invalid, code, message)
			require.Contains(t, message, tc.want)
			require.NoDirExists(t, output)
		})
	}
}

// TestFaultsProtocolRefuses: what cannot be tried is refused before anything is made or started.
func TestFaultsProtocolRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "mine.yaml")
	require.NoError(t, os.WriteFile(file, []byte("apiVersion: steamer/v1\nkind: Protocol\nid: gitlab\n"), 0o600))
	output := filepath.Join(dir, "runs")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"only":     {[]string{"--only", "gitlab/nope"}, "--only gitlab/nope"},
		"fault":    {[]string{"--only", "*/*/*/flood"}, "request-lost"},
		"parallel": {[]string{"--parallel", "0"}, "--parallel 0"},
		"protocol": {[]string{"--protocol", file}, "title and source"},
		"missing":  {[]string{"--protocol", filepath.Join(dir, "none.yaml")}, "none.yaml"},
		"format":   {[]string{"-o", "yaml"}, "--format"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, message := call(t, append([]string{"faults", "protocol", "--output-dir", output}, tc.args...)...)
			require.Equal(t, exit.Invalid, code, message)
			require.Contains(t, message, tc.want)
			require.NoDirExists(t, output)
		})
	}
}

// TestFaultsRecordRefuses: what cannot be looked for is refused before anything is made or
// started.
func TestFaultsRecordRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, page := filepath.Join(dir, "record.json"), filepath.Join(dir, "page.md")
	require.NoError(t, os.WriteFile(file, []byte(`{"apiVersion":"steamer/v1","kind":"History"}`), 0o600))
	output := filepath.Join(dir, "runs")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"only":         {[]string{"--only", "nope"}, "--only nope"},
		"times":        {[]string{"--times", "-1"}, "--times -1"},
		"parallel":     {[]string{"--parallel", "0"}, "--parallel 0"},
		"bao":          {[]string{"--bao", filepath.Join(dir, "none")}, "--bao"},
		"no page":      {[]string{"--from", file}, "--markdown"},
		"another kind": {[]string{"--from", file, "--markdown", page}, "History"},
		"missing":      {[]string{"--from", filepath.Join(dir, "none.json"), "--markdown", page}, "none.json"},
		"format":       {[]string{"-o", "yaml"}, "--format"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, message := call(t, append([]string{"faults", "record", "--output-dir", output}, tc.args...)...)
			require.Equal(t, exit.Invalid, code, message)
			require.Contains(t, message, tc.want)
			require.NoDirExists(t, output)
			require.NoFileExists(t, page)
		})
	}
}

// TestFaultsReplayRefuses: what cannot be replayed or shrunk is refused before anything is made or
// started.
func TestFaultsReplayRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, huge := filepath.Join(dir, "good.json"), filepath.Join(dir, "huge.json")
	schedule, err := faults.Draw(1, 3, nil)
	require.NoError(t, err)
	require.NoError(t, schedule.WriteFile(good))
	schedule.Workload = &faults.Workload{Rate: 100, Clients: 1000, Tenants: 1, Secrets: 1}
	require.NoError(t, schedule.WriteFile(huge))
	drain, mixed := filepath.Join(dir, "drain.json"), filepath.Join(dir, "mixed.json")
	onCluster, err := faults.DrawFor(faults.Place{Topology: "cloud-native"}, 1, 3, []string{"net-db-drop"})
	require.NoError(t, err)
	require.NoError(t, onCluster.WriteFile(drain))
	text, err := os.ReadFile(drain)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(mixed, bytes.Replace(text, []byte(`"topology": "cloud-native",`), nil, 1), 0o600))
	other := filepath.Join(dir, "other.json")
	require.NoError(t, os.WriteFile(other, []byte(`{"apiVersion":"steamer/v1","kind":"History"}`), 0o600))
	output := filepath.Join(dir, "runs")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"none":            {[]string{"replay", filepath.Join(dir, "none")}, "none"},
		"no file":         {[]string{"replay"}, "arg"},
		"another kind":    {[]string{"replay", other}, "History"},
		"clients":         {[]string{"replay", huge}, "--clients 1000"},
		"of a cluster":    {[]string{"replay", drain, "--context", "none"}, "of Steamer's own"},
		"of both":         {[]string{"replay", mixed}, "it needs a cluster"},
		"installed":       {[]string{"replay", good, "--keep"}, "--keep"},
		"shrink: cluster": {[]string{"shrink", drain}, "not shrunk"},
		"shrink: clients": {[]string{"shrink", huge}, "--clients 1000"},
		"shrink: times":   {[]string{"shrink", good, "--times", "0"}, "--times 0"},
		"shrink: runs":    {[]string{"shrink", good, "--runs", "-1"}, "--runs -1"},
		"shrink: rules":   {[]string{"shrink", good, "--rules", "S2,S99"}, "--rules S99"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, message := call(t, append(append([]string{"faults"}, tc.args...), "--output-dir", output)...)
			require.Equal(t, exit.Invalid, code, message)
			require.Contains(t, message, tc.want)
			require.NoDirExists(t, output)
		})
	}
}

// TestFaultsKinds: each fault is listed.
func TestFaultsKinds(t *testing.T) {
	t.Parallel()
	code, text, message := call(t, "faults", "kinds")
	require.Equal(t, exit.Pass, code, message)
	for _, name := range faults.Kinds() {
		require.Regexp(t, "(?m)^"+name+" +.", text)
	}
	code, text, _ = call(t, "faults", "kinds", "-o", "json")
	require.Equal(t, exit.Pass, code)
	require.Contains(t, text, `"name": "pg-crash"`)
}

// TestFaultsRules: each invariant is listed, and explained in docs/faults.md.
func TestFaultsRules(t *testing.T) {
	t.Parallel()
	code, text, message := call(t, "faults", "rules")
	require.Equal(t, exit.Pass, code, message)
	page, err := os.ReadFile("../../docs/faults.md")
	require.NoError(t, err)
	for _, rule := range check.Rules() {
		require.Contains(t, text, rule.Promises)
		require.Regexp(t, `(?m)^\|[^|]*\b`+rule.ID+`\b[^|]*\|`, string(page), "docs/faults.md lists the invariant")
	}
	code, text, _ = call(t, "faults", "rules", "-o", "json")
	require.Equal(t, exit.Pass, code)
	require.Contains(t, text, `"id": "S10"`)
}
