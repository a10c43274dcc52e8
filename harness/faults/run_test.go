package faults_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/faults"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// options are those of a short run below a directory that user postgres can enter.
func options(t *testing.T, list ...string) faults.Options {
	t.Helper()
	s, err := faults.Draw(1, len(list), nil)
	require.NoError(t, err)
	for i, name := range list {
		s.Steps[i].Fault, s.Steps[i].Length = name, document.Duration(1e9)
	}
	return faults.Options{
		Schedule: s, Rate: 200, Clients: 6, Tenants: 2, Secrets: 4, Ops: 300, Audit: true, Dir: t.TempDir(),
		Progress: func(string) {},
		Server:   localbao.Options{},
	}
}

// TestRun breaks a real OpenBao: every fault takes effect, and nothing that it acknowledged is
// lost.
func TestRun(t *testing.T) {
	t.Parallel()
	o := options(t, "kill-standby", "pause-all", "step-down", "term-active", "kill-all", "term-all")
	var progress []string
	o.Progress = func(line string) { progress = append(progress, line) }
	report, err := faults.Run(t.Context(), o)
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, check.Text(&text, report))
	require.NotEqual(t, result.Fail, report.Verdict, text.String())
	require.True(t, report.Complete)
	require.Equal(t, map[string]int{history.Confirmed: 6}, report.Faults, text.String())
	require.Len(t, progress, 6)
	require.Greater(t, report.AuditRecords, report.Operations.Results["ok"])
	require.GreaterOrEqual(t, report.Operations.Total, 300)
	require.GreaterOrEqual(t, report.Takeovers, 2)
	require.Positive(t, report.Operations.ByKind["write"])
	require.Positive(t, report.Operations.Results["refused"], "policies are revoked")
	require.Greater(t, report.Subjects, 20, "policies, roles, keys and tokens")
	for _, kind := range []string{"read", "delete", "undelete", "destroy", "grant", "revoke", "use"} {
		require.Positive(t, report.Operations.ByKind[kind], kind)
	}
	require.False(t, strings.Contains(strings.Join(report.Reasons, " "), "read again at the end"), text.String())
}

// TestPromotion: a replica that has everything loses nothing, and one that lacks the tail loses
// commits, of which the history says which they can be. What OpenBao has in memory of those may
// give or refuse access otherwise than the next leader (docs/faults.md): no other promise is
// broken.
func TestPromotion(t *testing.T) {
	t.Parallel()
	report, err := faults.Run(t.Context(), options(t, "pg-promote", "pg-promote-behind", "pg-promote"))
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, check.Text(&text, report))
	delete(report.Rules, "S2")
	delete(report.Rules, "S8")
	require.Empty(t, report.Rules, text.String())
	require.Equal(t, map[string]int{history.Confirmed: 3}, report.Faults, text.String())
	require.Positive(t, report.Doubtful)
}

// TestPgBouncer: in both of its modes, and where a replica takes PostgreSQL's place behind it.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	for _, mode := range localbao.PoolModes() {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			o := options(t, "commit-after", "pg-promote", "step-down")
			o.Server.PgBouncer = mode
			require.NoError(t, o.Validate())
			report, err := faults.Run(t.Context(), o)
			if err != nil && strings.Contains(err.Error(), "apt-get install pgbouncer") {
				t.Skip(err)
			}
			require.NoError(t, err)
			var text bytes.Buffer
			require.NoError(t, check.Text(&text, report))
			require.Empty(t, report.Rules, text.String())
			require.Equal(t, map[string]int{history.Confirmed: 3}, report.Faults, text.String())
			recorded, err := os.ReadFile(filepath.Join(o.Dir, "history"))
			require.NoError(t, err)
			led := regexp.MustCompile(`PgBouncer led [1-9]\d\d+ transactions through, in ` + mode)
			require.True(t, led.Match(recorded))
		})
	}
}

// TestLateRevocation: requests that waited in a leader that slept are in the history, and promises
// about access are all that is broken. OpenBao 2.4.0 grants them from its memory, although their
// access was revoked before they were sent, and acknowledges what the new leader does not learn.
func TestLateRevocation(t *testing.T) {
	t.Parallel()
	report, err := faults.Run(t.Context(), options(t, "freeze-late"))
	require.NoError(t, err)
	require.Equal(t, map[string]int{history.Confirmed: 1}, report.Faults)
	require.Positive(t, report.Takeovers)
	for _, known := range []string{"S2", "S3", "S8"} {
		delete(report.Rules, known)
	}
	require.Empty(t, report.Rules)
}

// TestNamespaces: a node that ends in the deletion of a namespace is a fault with a receipt.
// OpenBao 2.4.0 may not start any more after it; then the report says so.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	o := options(t, "term-in-namespace-delete", "hang-up-in-namespace-create")
	o.Spaces = true
	report, err := faults.Run(t.Context(), o)
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, check.Text(&text, report))
	if report.Rules["S11"] > 0 {
		require.Regexp(t, "panic: |was done again", text.String())
		return
	}
	require.Equal(t, map[string]int{history.Confirmed: 2}, report.Faults, text.String())
	require.Empty(t, report.Rules, text.String())
}

// TestInterrupt: an interrupted run leaves a partial history, judged, and nothing that runs.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	o := options(t, "pause-active", "kill-standby", "kill-standby")
	o.Progress = func(string) { cancel() }
	report, err := faults.Run(ctx, o)
	require.ErrorIs(t, err, context.Canceled)
	require.NotNil(t, report)
	require.Equal(t, result.Inconclusive, report.Verdict)
	require.True(t, report.Partial)
	require.Positive(t, report.Operations.Total)
	left, err := os.ReadDir(o.Dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.Equal(t, "history", filepath.Base(left[0].Name()))
}

// TestInterruptInFault: an interrupt while a fault lasts ends it, with the processes and files
// that it needed.
func TestInterruptInFault(t *testing.T) {
	t.Parallel()
	has := func(dir, pattern string) int {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		require.NoError(t, err)
		return len(found)
	}
	replica := func(dir string) bool { return has(dir, "steamer-pg-*/data/standby.signal") > 0 }
	sink := func(dir string) bool { return has(dir, "steamer-bao-*/audit.log.kept") > 0 }
	for _, tc := range []struct {
		kind  string
		lasts func(dir string) bool // nil is from its beginning
	}{
		{"pg-promote", replica},
		{"pg-promote-behind", replica},
		{"audit-gone", sink},
		{"audit-stuck", sink},
		{"issuer-hang", nil},
		{"client-half-open", nil},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			t.Parallel()
			o := options(t, tc.kind)
			o.Schedule.Steps[0].Length = document.Duration(time.Minute)
			dir, err := os.MkdirTemp("", "steamer-interrupt-") // user postgres can enter it
			require.NoError(t, err)
			defer func() { require.NoError(t, os.RemoveAll(dir)) }()
			require.NoError(t, os.Chmod(dir, 0o755))
			o.Server.Dir = dir
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			go func() {
				_, _ = wait.Until(ctx, wait.For{What: "the fault lasts", Interval: 50 * time.Millisecond},
					func(context.Context) error {
						recorded, _ := os.ReadFile(filepath.Join(o.Dir, "history"))
						if !bytes.Contains(recorded, []byte(tc.kind+" began")) || tc.lasts != nil && !tc.lasts(dir) {
							return errors.New("it does not")
						}
						return nil
					})
				cancel()
			}()
			report, err := faults.Run(ctx, o)
			require.ErrorIs(t, err, context.Canceled)
			require.True(t, report.Partial)
			require.Equal(t, result.Inconclusive, report.Verdict, report.Reasons)
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}
