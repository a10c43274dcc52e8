package faults

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// TestLoadBeside has k6 fetch beside the clients while the leader changes: the history says what it
// got, and each value is right.
func TestLoadBeside(t *testing.T) {
	t.Parallel()
	s, err := Draw(1, 2, []string{"step-down"})
	require.NoError(t, err)
	s.Steps[0].After = document.Duration(3 * time.Second) // k6 has begun
	o := Options{
		Schedule: s, Rate: 50, Clients: 4, Tenants: 1, Secrets: 2, Fetches: 20, Dir: t.TempDir(),
		Progress:  func(string) {},
		Generator: target.Generator{K6: loadtest.K6(t), Scripts: "../../perf/scripts"},
	}
	require.NoError(t, o.Validate())
	o.Keep()
	report, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.True(t, report.Complete)
	require.Empty(t, report.Rules, "%v", report.Reasons)
	require.Regexp(t,
		`^[1-9]\d* fetches by k6 in [1-9]\d*s \(20 a second asked for\): \d+ failed, 0 wrong, \d+ not begun$`, report.Load)

	o.Fetches, o.Duration = 0, time.Hour
	o.Take()
	require.InDelta(t, 20, o.Fetches, 0, "a schedule that is done again has its load")
	require.Zero(t, o.Duration)
	o.Fetches = 1001
	require.ErrorContains(t, o.Validate(), "--load 1001: it is out of range")
}

// TestFetchesMeetNoOthers: what k6 fetches is not what a target has provisioned already.
func TestFetchesMeetNoOthers(t *testing.T) {
	t.Parallel()
	server, err := localbao.Start(t.Context(), localbao.Options{})
	require.NoError(t, err)
	defer server.Stop()
	issuer, err := server.Trust()
	require.NoError(t, err)
	client := openbao.New(server.Address, server.HTTPClient())
	defer client.Close()
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	others := target.Tenancy{
		Client: client, Issuer: issuer, Audience: server.Audience, Seed: "others", Recipes: recipes, Secrets: 1,
	}
	_, err = others.Grow(t.Context(), 1)
	require.NoError(t, err)
	o := Options{Schedule: &Schedule{Seed: 1}, Fetches: 1}
	p := &pool{keys: &keyring{trust: trust{rails: issuer, audience: server.Audience}}}
	_, err = o.provisionFetches(t.Context(), p, client, server.Address)
	require.NoError(t, err)
}

// TestWrongFetches: a value that is not its secret's is a violation, in the history that says so.
func TestWrongFetches(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), history.FileName)
	record, err := history.Create(path, history.Header{Seed: 1, Versions: 10, Server: "2.4.0"})
	require.NoError(t, err)
	tell(record, 20, &result.Load{Fetches: 40, MeasuredSeconds: 2, Failed: 3, Wrong: 1, Dropped: 2})
	require.NoError(t, record.Close())
	report, err := check.File(path)
	require.NoError(t, err)
	require.Equal(t, result.Fail, report.Verdict)
	require.Equal(t, map[string]int{"C2": 1}, report.Rules)
	require.Equal(t, "1 of 40 fetches got another value than their secret's", report.Violations[0].What)
	require.Equal(t, "40 fetches by k6 in 2s (20 a second asked for): 3 failed, 1 wrong, 2 not begun", report.Load)
}
