package history_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/history"
)

// TestOutcome: what may have happened is unknown. Each row of the table has its cases here.
func TestOutcome(t *testing.T) {
	t.Parallel()
	const w, r, u, d = history.Write, history.Read, history.Use, history.Delete
	failed := func(err error) history.Answer { return history.Answer{Err: fmt.Errorf("POST x: %w", err)} }
	says := func(status int, texts ...string) history.Answer {
		return history.Answer{Status: status, JSON: true, Errors: texts}
	}
	data := func(status int, text string) history.Answer {
		return history.Answer{Status: status, JSON: true, Data: json.RawMessage(text)}
	}
	plain := func(status int) history.Answer { return history.Answer{Status: status} }
	dial := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	tried := map[string]bool{"nothing": true}
	for name, tc := range map[string]struct {
		kind history.OpKind
		a    history.Answer
		want history.Result
	}{
		"not-sent/refused":           {w, failed(dial), history.Failed},
		"no-answer/timeout":          {w, failed(context.DeadlineExceeded), history.Unknown},
		"no-answer/end":              {w, failed(io.ErrUnexpectedEOF), history.Unknown},
		"no-answer/reset":            {w, failed(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), history.Unknown},
		"no-answer/broken-pipe":      {d, failed(&net.OpError{Op: "write", Err: syscall.EPIPE}), history.Unknown},
		"no-answer/canceled":         {r, failed(context.Canceled), history.Unknown},
		"no-answer/body":             {w, failed(errors.New("reading the answer: EOF")), history.Unknown},
		"redirect/forwarding-failed": {w, plain(307), history.Unknown},
		"server-error/500":           {w, says(500, "internal error"), history.Unknown},
		"server-error/502":           {r, plain(502), history.Unknown},
		"server-error/503-sealed":    {w, says(503, "Vault is sealed"), history.Unknown},
		"server-error/504":           {w, plain(504), history.Unknown},
		"health-code/473":            {w, plain(473), history.Unknown},
		"no-document/404-of-a-proxy": {r, plain(404), history.Unknown},
		"no-document/403-of-a-proxy": {u, plain(403), history.Unknown},
		"no-document/200":            {w, plain(200), history.Unknown},
		"wrapped/forwarding-400":     {w, says(400, "error during forwarding RPC request"), history.Unknown},
		"wrapped/rpc-400": {
			w, says(400, "rpc error: code = Unavailable desc = transport is closing"),
			history.Unknown,
		},
		"wrapped/canceled-400": {w, says(400, "1 error occurred: context canceled"), history.Unknown},
		"wrapped/canceled-403": {u, says(403, "permission denied", "context canceled"), history.Unknown},
		"wrapped/database-400": {w, says(400, "ERROR: could not serialize access (SQLSTATE 40001)"), history.Unknown},
		"wrapped/commit-400":   {w, says(400, "failed to commit transaction"), history.Unknown},
		"wrapped/standby-400":  {d, says(400, "Vault is in standby mode"), history.Unknown},
		"wrapped/mismatch-and-cancel": {w, says(400, "check-and-set parameter did not match the current version",
			"unexpected EOF"), history.Unknown},
		"mismatch/400": {
			w, says(400, "check-and-set parameter did not match the current version"),
			history.Mismatch,
		},
		"mismatch/not-of-a-read": {
			r, says(400, "check-and-set parameter did not match the current version"),
			history.Failed,
		},
		"refused/403":       {u, says(403, "permission denied"), history.Refused},
		"refused/read":      {r, says(403, "permission denied"), history.Refused},
		"refused/login-400": {u, says(400, "error validating token: invalid audience"), history.Refused},
		"absent/nothing":    {r, says(404), history.Absent},
		"absent/deleted": {r, data(404,
			`{"data":null,"metadata":{"version":3,"deletion_time":"2026-01-01T00:00:00Z","destroyed":false}}`), history.Deleted},
		"absent/destroyed": {r, data(404,
			`{"data":null,"metadata":{"version":3,"deletion_time":"","destroyed":true}}`), history.Destroyed},
		"absent/deleted-destroyed": {
			r, data(404,
				`{"data":null,"metadata":{"version":3,"deletion_time":"2026-01-01T00:00:00Z","destroyed":true}}`),
			history.Destroyed,
		},
		"absent/neither":        {r, data(404, `{"data":null,"metadata":{"version":3}}`), history.Unknown},
		"rejected/no-mount":     {r, says(404, "no handler for route \"kv/data/x\""), history.Failed},
		"upgrading/write":       {w, says(400, "Upgrading from non-versioned to versioned data."), history.Failed},
		"upgrading/use":         {u, says(400, "Upgrading from non-versioned to versioned data."), history.Failed},
		"in-use/mount":          {history.Grant, says(400, "path is already in use at secrets/"), history.OK},
		"no-route/use":          {u, says(404, "no handler for route \"kv/data/x\"."), history.Refused},
		"rejected/too-many":     {w, says(429, "request path \"kv\": rate limit quota exceeded"), history.Failed},
		"rejected/nothing-said": {w, says(400), history.Unknown},
		"unnumbered/write":      {w, data(200, `{}`), history.Unknown},
		"unnumbered/read":       {r, data(200, `{"data":{}}`), history.Unknown},
		"done/write":            {w, data(200, `{"version":4}`), history.OK},
		"done/read":             {r, data(200, `{"data":{"v":"x"},"metadata":{"version":4}}`), history.OK},
		"done/delete":           {d, says(204), history.OK},
		"nothing/100":           {w, says(100), history.Unknown},
	} {
		row, _, _ := strings.Cut(name, "/")
		tried[row] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, history.Outcome(tc.kind, tc.a))
		})
	}
	for row, because := range history.OutcomeRows() {
		require.True(t, tried[row], "no case of row %s", row)
		require.NotEmpty(t, because)
	}
	require.Equal(t, 4, history.VersionOf(w, json.RawMessage(`{"version":4}`)))
	require.Zero(t, history.VersionOf(r, json.RawMessage(`nothing`)))
}

// TestValues: what is read is recognised, and what is no token leaves a digest only.
func TestValues(t *testing.T) {
	t.Parallel()
	v := history.Value{Writer: 3, Counter: 17}
	require.Equal(t, "t1/k2/3.17", v.Token("t1/k2"))
	require.Equal(t, v, history.ValueOf("t1/k2", "t1/k2/3.17"))
	require.Equal(t, "t1/k3/3.17", history.ValueOf("t1/k2", "t1/k3/3.17").Foreign)
	for _, secret := range []string{"", "hunter2", "t1/k2/hunter2", "a b/1.1", "t1/k2/03.17"} {
		got := history.ValueOf("t1/k2", secret)
		require.Regexp(t, "^sha256:[0-9a-f]{16}$", got.String())
	}
}
