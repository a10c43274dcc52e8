package openbao

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.k6.io/k6/v2/lib"

	"gitlab.com/steamer/steamer/perf/fetch"
	"gitlab.com/steamer/steamer/perf/internal/baotest"
)

// TestModes runs every mode through the JavaScript API against a real OpenBao.
func TestModes(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	server, err := baotest.Start(ctx, 3, 2)
	require.NoError(t, err)
	defer server.Stop()
	v := newVU(t, New())
	require.NoError(t, v.VU.Runtime().Set("path", write(t, server.Fixture)))
	v.run(t, `
		const fx = openbao.fixture(path);
		const clients = {
			inline: fx.client({ mode: 'inline', retries: true, choice: 'zipf', exponent: 1.1 }),
			'login-read': fx.client({ mode: 'login-read', choice: 'hot', hotTenants: 1, hotShare: 0.9 }),
			'login-read-revoke': fx.client({ mode: 'login-read-revoke', choice: 'cold' }),
			rails: fx.client({ mode: 'rails', operations: { create: 2, update: 1, list: 1.5, delete: 1 }, reuse: true }),
			mixed: fx.client({ mode: 'mixed', weights: { inline: 3, 'login-read': 1, rails: 1 } }),
		}`)
	v.start(1)
	kinds := map[string]map[string]int{}
	for _, mode := range fetch.Modes() {
		kinds[mode] = map[string]int{}
		require.NoError(t, v.VU.Runtime().Set("mode", mode))
		for range 25 {
			got := v.run(t, `(() => {
				const r = clients[mode].fetch();
				return [r.ok, r.error, r.kind, r.attempts, r.retries];
			})()`).([]any)
			require.Equal(t, []any{true, ""}, got[:2], "%s: %v: %v", mode, got, v.logs.LastEntry())
			require.Zero(t, got[4])
			kinds[mode][got[2].(string)]++
			obs, ok := (<-v.samples).(*Observation)
			require.True(t, ok)
			require.Equal(t, mode == "mixed" || mode == "rails", obs.ByKind)
			require.Equal(t, got[3], int64(obs.Result.Attempts))
			samples := map[string]int{}
			for _, s := range obs.GetSamples() {
				samples[s.Metric.Name]++
				kind, _ := s.Tags.Get("kind")
				require.Equal(t, got[2], kind)
				if step, ok := s.Tags.Get("step"); ok {
					samples[step]++
				}
			}
			require.Equal(t, obs.Result.Attempts, samples[metricAttemptFailed])
			require.Equal(t, obs.Result.Attempts, samples["first_byte"])
		}
	}
	for _, mode := range []string{"inline", "login-read", "login-read-revoke"} {
		require.Equal(t, map[string]int{mode: 25}, kinds[mode])
	}
	require.Positive(t, kinds["rails"]["create"])
	require.Positive(t, kinds["rails"]["update"])
	require.Greater(t, kinds["mixed"]["inline"], 8)
	require.Greater(t, len(kinds["mixed"]), 2)
	require.Empty(t, v.logs.AllEntries())
}

func TestMisuseOfModes(t *testing.T) {
	t.Parallel()
	noCA := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(noCA, []byte("no certificate"), 0o600))
	for name, tc := range map[string]struct{ code, want string }{
		"rails without logins": {
			`fx.client({ mode: 'rails' })`,
			"mode rails: the fixture has no rails login; it needs version 2",
		},
		"mixed with rails": {
			`fx.client({ mode: 'mixed', weights: { inline: 1, rails: 1 } })`,
			"mode rails: the fixture has no rails login",
		},
		"mixed of nothing": {`fx.client({ mode: 'mixed' })`, "mode mixed needs the option weights"},
		"weights of one":   {`fx.client({ weights: { inline: 1 } })`, "no other mode has it"},
		"unknown weight":   {`fx.client({ mode: 'mixed', weights: { mixed: 1 } })`, `there is no "mixed"`},
		"a word as weight": {
			`fx.client({ mode: 'mixed', weights: { inline: 'much' } })`,
			"the weight of inline is not a number",
		},
		"a list of weights": {`fx.client({ mode: 'mixed', weights: [1] })`, "want an object of names and weights"},
		"no namespace":      {`fx.client({ mode: 'login-read-revoke' })`, `no element "auth"`},
		"unknown choice": {
			`fx.client({ choice: 'random' })`,
			`choice "random" is unknown; want uniform, zipf, hot, cold`,
		},
		"exponent": {`fx.client({ choice: 'zipf', exponent: 'steep' })`, "exponent NaN: want above 0"},
		"hot set of all": {
			`fx.client({ choice: 'hot', hotTenants: 2, hotShare: 0.5 })`,
			"hotTenants 2: want 1 to fewer than the 1",
		},
		"hot share":         {`fx.client({ choice: 'hot', hotTenants: 1, hotShare: 1.5 })`, "hotShare 1.5"},
		"absent CA":         {`fx.client({ ca: '/nonexistent/ca' })`, "no such file"},
		"empty CA":          {`fx.client({ ca: noCA })`, "no certificate in PEM"},
		"unknown operation": {`fx.client({ operations: { read: 1 } })`, `there is no "read"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVU(t, New())
			require.NoError(t, v.VU.Runtime().Set("path", write(t, unreachable())))
			require.NoError(t, v.VU.Runtime().Set("noCA", noCA))
			v.run(t, `const fx = openbao.fixture(path)`)
			_, err := v.VU.Runtime().RunString(tc.code)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// TestRetriedFetch checks that the raw error rate and that of jobs are separate.
func TestRetriedFetch(t *testing.T) {
	t.Parallel()
	requests := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests++; requests == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(`{"data":{"data":{"value":"other than expected"}}}`))
	}))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(ca, block, 0o600))
	fx := unreachable()
	fx.Target = server.URL
	v := newVU(t, New())
	require.NoError(t, v.VU.Runtime().Set("path", write(t, fx)))
	require.NoError(t, v.VU.Runtime().Set("ca", ca))
	v.run(t, `const client = openbao.fixture(path).client({ retries: true, ca })`)
	v.start(1)
	require.Equal(t, []any{true, int64(200), int64(2), int64(1)}, v.run(t,
		`(() => { const r = client.fetch(); return [r.wrong, r.status, r.attempts, r.retries] })()`))
	values := map[string]float64{}
	for _, s := range (<-v.samples).GetSamples() {
		values[s.Metric.Name] += s.Value
	}
	require.InDelta(t, 0, values[metricFailed], 0)
	require.InDelta(t, 1, values[metricAttemptFailed], 0)
	require.InDelta(t, 2, values[metricAttempts], 0)
	require.InDelta(t, 1, values[metricWrong], 0)
}

// TestSegment checks that a process of several keeps to its own tenants where they must not be
// shared.
func TestSegment(t *testing.T) {
	t.Parallel()
	fx := unreachable()
	for _, name := range []string{"b", "c"} {
		tenant := fx.Tenants[0]
		tenant.Name = name
		fx.Tenants = append(fx.Tenants, tenant)
	}
	path := write(t, fx)
	for segment, want := range map[string]string{"0:1/3": "group_1/project_1", "1/3:2/3": "b", "2/3:1": "c", "0:1/4": ""} {
		v := newVU(t, New())
		require.NoError(t, v.VU.Runtime().Set("path", path))
		client, ok := v.run(t, `openbao.fixture(path).client({ choice: 'cold' })`).(*Client)
		require.True(t, ok)
		v.start(1)
		state := v.VU.State()
		var err error
		state.Options.ExecutionSegment, err = lib.NewExecutionSegmentFromString(segment)
		require.NoError(t, err)
		err = client.activate(v.VU.Context(), state)
		if want == "" {
			require.ErrorContains(t, err, "none of the 3 tenants is left")
			continue
		}
		require.NoError(t, err)
		for range 3 {
			choice := client.http.Plan.Select(&client.selection, client.part, client.http.Rand)
			require.Equal(t, want, client.http.Plan.Name(choice), segment)
		}
	}
}
