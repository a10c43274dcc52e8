package openbao

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
	"go.k6.io/k6/v2/js/modulestest"
	"go.k6.io/k6/v2/lib"
	"go.k6.io/k6/v2/lib/executor"
	"go.k6.io/k6/v2/lib/types"
	"go.k6.io/k6/v2/metrics"
	"gopkg.in/guregu/null.v3"

	"gitlab.com/steamer/steamer/perf/fetch"
	"gitlab.com/steamer/steamer/perf/fixture"
	"gitlab.com/steamer/steamer/perf/internal/baotest"
)

// vu is a VU as a script sees it, with the module as global openbao.
type vu struct {
	*modulestest.Runtime
	samples chan metrics.SampleContainer
	logs    *logtest.Hook
}

func newVU(t *testing.T, root *RootModule) vu {
	t.Helper()
	rt := modulestest.NewRuntime(t)
	mod := root.NewModuleInstance(rt.VU)
	require.NoError(t, rt.VU.Runtime().Set("openbao", mod.Exports().Default))
	return vu{Runtime: rt, samples: make(chan metrics.SampleContainer, 100)}
}

// start begins the iterations of a constant-arrival-rate scenario.
func (v *vu) start(id uint64) {
	logger, hook := logtest.NewNullLogger()
	logger.SetLevel(logrus.DebugLevel)
	v.logs = hook
	registry := v.VU.InitEnvField.Registry
	config := executor.NewConstantArrivalRateConfig("main")
	config.Rate, config.TimeUnit = null.IntFrom(10), types.NullDurationFrom(time.Second)
	v.VU.CtxField = lib.WithScenarioState(v.VU.CtxField, &lib.ScenarioState{Name: "main", StartTime: time.Now()})
	v.MoveToVUContext(&lib.State{
		Options: lib.Options{Scenarios: lib.ScenarioConfigs{"main": config}},
		Logger:  logger, Dialer: &net.Dialer{}, Samples: v.samples, VUID: id, VUIDGlobal: id,
		Tags:                    lib.NewVUStateTags(registry.RootTagSet().With("phase", "measure")),
		GetScenarioGlobalVUIter: func() uint64 { return 0 },
	})
}

func (v *vu) run(t *testing.T, code string) any {
	t.Helper()
	value, err := v.VU.Runtime().RunString(code)
	require.NoError(t, err)
	return value.Export()
}

func write(t *testing.T, fx *fixture.Fixture) string {
	t.Helper()
	data, err := json.Marshal(fx)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "fixture.json")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

// unreachable is a fixture whose target does not listen.
func unreachable() *fixture.Fixture {
	return &fixture.Fixture{Version: 1, Target: "http://127.0.0.1:1", Tenants: []fixture.Tenant{{
		Name: "group_1/project_1", SecretPath: "p", AuthPath: "a", Role: "r", JWT: "aaa.bbb.ccc",
		Secrets: []fixture.Secret{{Name: "S", SHA256: fixture.Digest{1}}},
	}}}
}

// TestFetch runs the JavaScript API against a real OpenBao.
func TestFetch(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	server, err := baotest.Start(ctx, 2, 2)
	require.NoError(t, err)
	defer server.Stop()

	v := newVU(t, New())
	require.NoError(t, v.VU.Runtime().Set("path", write(t, server.Fixture)))
	require.Equal(t, []any{int64(2), int64(4)}, v.run(t, `
		const fx = openbao.fixture(path);
		const client = fx.client({ mode: 'inline', reuse: true, timeout: '30s', seed: 3 });
		[fx.tenants, fx.secrets]`))
	v.start(1)
	require.Equal(t, []any{true, false, int64(200), "", true}, v.run(t,
		`const r = client.fetch(); [r.ok, r.wrong, r.status, r.error, r.duration > 0.1]`))

	obs, ok := (<-v.samples).(*Observation)
	require.True(t, ok)
	byName := map[string]float64{}
	for _, s := range obs.GetSamples() {
		byName[s.Metric.Name] = s.Value
		phase, _ := s.Tags.Get("phase")
		status, _ := s.Tags.Get("status")
		require.Equal(t, "measure/200", phase+"/"+status)
		require.True(t, s.Time.After(obs.Result.Start))
	}
	require.Equal(t, float64(1), byName[metricFetches])
	require.InDelta(t, 0, byName[metricFailed], 0)
	require.Greater(t, byName[metricDuration], 0.1, "milliseconds")
	require.GreaterOrEqual(t, byName[metricIntended], byName[metricDuration])
	require.Equal(t, float64(1), byName[metricAttempts])
	require.InDelta(t, 0, byName[metricAttemptFailed], 0)
	require.Greater(t, byName[metricStep], 0.01, "milliseconds to the first byte")
	require.Len(t, byName, 7, "no wrong value, nothing interrupted")
	require.Empty(t, v.logs.AllEntries())
}

// TestFailedFetch checks that a failure is a result and a log line, and that neither contains the
// token.
func TestFailedFetch(t *testing.T) {
	t.Parallel()
	v := newVU(t, New())
	require.NoError(t, v.VU.Runtime().Set("path", write(t, unreachable())))
	v.run(t, `const client = openbao.fixture(path).client()`)
	v.start(1)
	for range 3 {
		require.Equal(t, []any{false, int64(0), "refused"},
			v.run(t, `(() => { const r = client.fetch(); return [r.ok, r.status, r.error] })()`))
	}
	require.Len(t, v.logs.AllEntries(), 1, "the first of its kind")
	line, err := v.logs.LastEntry().String()
	require.NoError(t, err)
	require.Contains(t, line, "group_1/project_1")
	require.NotContains(t, line, "aaa.bbb.ccc")

	obs := (<-v.samples).GetSamples()
	class, _ := obs[0].Tags.Get("error")
	require.Equal(t, "refused", class)
}

func TestInterruptedFetch(t *testing.T) {
	t.Parallel()
	v := newVU(t, New())
	require.NoError(t, v.VU.Runtime().Set("path", write(t, unreachable())))
	v.run(t, `const client = openbao.fixture(path).client()`)
	v.start(1)
	v.CancelContext()
	v.run(t, `client.fetch()`)
	samples := (<-v.samples).GetSamples()
	require.Len(t, samples, 1, "no latency is known")
	require.Equal(t, metricInterrupted, samples[0].Metric.Name)
	require.Empty(t, v.logs.AllEntries(), "not a failure")
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ code, want string }{
		"no such file":      {`openbao.fixture('/nonexistent/fixture')`, "no such file"},
		"unknown option":    {`fx.client({ resue: true })`, "option resue: unknown; the options are"},
		"unknown mode":      {`fx.client({ mode: 'telepathy' })`, `"telepathy" is unknown; the modes are: inline`},
		"bad timeout":       {`fx.client({ timeout: 'soon' })`, `"soon" is not a duration above 0`},
		"no timeout":        {`fx.client({ timeout: 0 })`, `is not a duration above 0`},
		"fetch before time": {`fx.client().fetch()`, "in iterations only"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVU(t, New())
			require.NoError(t, v.VU.Runtime().Set("path", write(t, unreachable())))
			v.run(t, `const fx = openbao.fixture(path)`)
			_, err := v.VU.Runtime().RunString(tc.code)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// TestFixtureIsReadOnce hands the fixture over in a pipe, which can be read once only, to several
// VUs; the second use of a bad one gives the first error again.
func TestFixtureIsReadOnce(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{"good": "", "bad": "invalid character"} {
		t.Run(content, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			require.NoError(t, err)
			defer r.Close()
			data := []byte("no JSON")
			if want == "" {
				data, err = json.Marshal(unreachable())
				require.NoError(t, err)
			}
			_, err = w.Write(data)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			root := New()
			for range 3 {
				v := newVU(t, root)
				require.NoError(t, v.VU.Runtime().Set("fd", int(r.Fd())))
				_, err := v.VU.Runtime().RunString("openbao.fixture(`/dev/fd/${fd}`)")
				if want == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, want)
				}
			}
		})
	}
}

// TestSeed checks that VUs draw different secrets, and the same again in the next run.
func TestSeed(t *testing.T) {
	t.Parallel()
	fx := unreachable()
	for range 99 {
		fx.Tenants = append(fx.Tenants, fx.Tenants[0])
	}
	path := write(t, fx)
	draw := func(id uint64) (choices []fetch.Choice) {
		v := newVU(t, New())
		require.NoError(t, v.VU.Runtime().Set("path", path))
		client, ok := v.run(t, `openbao.fixture(path).client({ seed: 5 })`).(*Client)
		require.True(t, ok)
		v.start(id)
		require.NoError(t, client.activate(v.VU.Context(), v.VU.State()))
		for range 20 {
			choices = append(choices, client.http.Plan.Select(&client.selection, client.part, client.http.Rand))
		}
		return choices
	}
	require.Equal(t, draw(1), draw(1))
	require.NotEqual(t, draw(1), draw(2))
}
