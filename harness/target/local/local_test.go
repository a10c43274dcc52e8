package local

import (
	"context"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// patch is one operation of a JSON Patch.
func patch(t *testing.T, path string, value any) []byte {
	t.Helper()
	raw, err := json.Marshal([]map[string]any{{"op": "replace", "path": path, "value": value}})
	require.NoError(t, err)
	return raw
}

// TestTarget runs a server with everything a spec can ask for, and reads what its processes and
// its pool use.
func TestTarget(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx := t.Context()
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	of, _, err := openTest(ctx, Spec{
		Server: localbao.Options{
			Patch: patch(t, "/storage/postgresql/max_parallel", "4"), Env: []string{"GOMAXPROCS=1"}, TLS: true,
		},
		Proxy: true, Delays: true, WatchPool: true, Recipes: recipes[:1], Secrets: 1,
	}, 2)
	require.NoError(t, err)
	defer func() { require.NoError(t, of.Close(ctx)) }()
	require.Equal(t, 4, of.pool)
	require.Len(t, of.Tenants(), 2)
	info := of.Info()
	require.Equal(t, target.Processes, info.Name)
	require.NotEmpty(t, info.Versions["openbao"])
	require.Regexp(t, "^sha256:", info.Config)
	require.Empty(t, info.Limited)

	env, done, err := of.Env()
	require.NoError(t, err)
	require.Regexp(t, `^https://`, env.Address)
	require.NoError(t, env.Check(ctx, env.Tenants[0], env.Tenants[0].Secrets[0]))
	done()

	seed, seen, err := of.Grow(ctx, 3)
	require.NoError(t, err)
	require.Equal(t, 1, seed.Tenants)
	require.Greater(t, seed.Calls, 10)
	require.Len(t, of.Tenants(), 3)
	require.Equal(t, 4, seen.Pool.Limit)
	require.Positive(t, seen.Pool.Samples)
	require.GreaterOrEqual(t, seen.Pool.Transactions, int64(0))
	components := map[string]bool{}
	for _, r := range seen.Topology.Resources {
		components[r.Component] = true
		require.NotEmpty(t, r.Samples, r.Name)
		require.Greater(t, r.Samples[len(r.Samples)-1].MemoryMiB, 1.0, r.Name)
	}
	require.Equal(t, map[string]bool{"openbao": true, "postgresql": true}, components)
	require.Empty(t, seen.Topology.Events)
	seed, _, err = of.Grow(ctx, 3)
	require.NoError(t, err)
	require.Zero(t, seed.Calls, "there are as many already")

	require.NoError(t, of.SetDelay(3*time.Millisecond))
	require.Equal(t, 3*time.Millisecond, of.Info().Delay)
	fixture, err := of.ready(load.Profile{}, time.Minute)
	require.NoError(t, err)
	require.Contains(t, string(fixture), "https://"+of.answers.Address(), "the load goes through the proxy")
	require.ErrorContains(t, of.SetCPUs(1), "no control group")

	_, err = of.Drive(ctx, target.Job{Name: "x", Profile: load.Profile{Workload: "fetch"}, Rate: 1})
	require.Equal(t, exit.Environment, exit.CodeOf(err), "there is no k6: %v", err)
}

// TestDriveTLS drives a real OpenBao over TLS with k6, which trusts only the certificate of the
// run.
func TestDriveTLS(t *testing.T) {
	ctx := t.Context()
	generator := target.Generator{K6: loadtest.K6(t), Scripts: "../../../perf/scripts", Dir: t.TempDir()}
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	of, _, err := openTest(ctx, Spec{
		Server: localbao.Options{TLS: true}, Generator: generator, Delays: true, Recipes: recipes, Secrets: 1,
	}, 2)
	require.NoError(t, err)
	defer func() { require.NoError(t, of.Close(ctx)) }()
	seen, err := of.Drive(ctx, target.Job{Name: "tls", Rate: 10, Profile: load.Profile{
		Name: "tls", Workload: "fetch", Mode: load.Inline, Duration: document.Duration(3 * time.Second),
		VUs: load.VUs{Initial: 20, Max: 20},
	}})
	require.NoError(t, err)
	l := seen.Topology.Load
	require.Positive(t, l.Fetches)
	require.Equal(t, [2]int64{0, 0}, [2]int64{l.Failed, l.Wrong}, "%v", l.Extra)
	require.InDelta(t, l.Attempts.Count, l.Extra["http2"], 0)
}

// openTest opens a target with some tenants.
func openTest(ctx context.Context, spec Spec, tenants int) (*Target, target.Observation, error) {
	t, err := Open(ctx, spec)
	if err != nil {
		return nil, target.Observation{}, err
	}
	_, seen, err := t.Grow(ctx, tenants)
	return t, seen, err
}

// TestDisturb grows and disturbs two real OpenBao on one PostgreSQL.
func TestDisturb(t *testing.T) {
	ctx := t.Context()
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	of, _, err := openTest(ctx, Spec{Standby: true, Recipes: recipes[:1], Secrets: 1}, 1)
	require.NoError(t, err)
	defer func() { require.NoError(t, of.Close(ctx)) }()
	size, err := of.DatabaseMiB(ctx)
	require.NoError(t, err)
	require.Greater(t, size, 0.05)

	check := func(node *localbao.Node) error {
		client := openbao.New(node.Address, of.server.HTTPClient())
		defer client.Close()
		return of.tenancy.Check(ctx, client)
	}
	began := time.Now()
	seconds, err := of.Failover(ctx, false)
	require.NoError(t, err)
	require.Greater(t, seconds, 0.05)
	require.Less(t, seconds, time.Since(began).Seconds())
	nodes := of.server.Nodes()
	require.NoError(t, check(nodes[0]), "the first node leads again")

	seconds, err = of.Restart(ctx)
	require.NoError(t, err)
	require.Greater(t, seconds, 0.05)
	require.NoError(t, check(nodes[1]), "the standby is back, and passes requests on")

	w := of.watch(ctx, time.Hour)
	nodes[1].Kill()
	seen := w.stop()
	require.Len(t, seen.Topology.Events, 1, "a process that is gone is an event, and one only")
	require.Contains(t, seen.Topology.Events[0].Detail, "openbao-1")
}

// TestBeside: two tenancies of one server do not meet, and closing one leaves the server to the
// other.
func TestBeside(t *testing.T) {
	ctx := t.Context()
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	first, _, err := openTest(ctx, Spec{Secrets: 1}, 1)
	require.NoError(t, err)
	defer func() { require.NoError(t, first.Close(ctx)) }()
	second := first.Beside(1000, recipes[1:2])
	_, _, err = second.Grow(ctx, 1)
	require.NoError(t, err)
	require.NotEqual(t, first.Tenants()[0].Name, second.Tenants()[0].Name)
	require.Equal(t, recipes[1].ID, second.Tenants()[0].Recipe)
	require.NoError(t, second.Close(ctx))
	env, done, err := first.Env()
	require.NoError(t, err)
	defer done()
	require.NoError(t, env.Check(ctx, env.Tenants[0], env.Tenants[0].Secrets[0]))
}

// TestOpenRefuses: a missing program is the environment's fault, a configuration that OpenBao does
// not start with the subject's, and so are tenants that cannot be provisioned.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	_, err := Open(context.Background(), Spec{Server: localbao.Options{Binary: "/nowhere/bao"}})
	require.Equal(t, exit.Environment, exit.CodeOf(err))
	require.NotErrorAs(t, err, new(target.UnfitError))
	_, err = Open(context.Background(), Spec{Server: localbao.Options{
		Patch: patch(t, "/storage", map[string]any{"nonsense": map[string]any{}}),
	}})
	require.ErrorAs(t, err, new(target.UnfitError))

	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	recipes[0].Provision[0].Path = "sys/nonsense"
	of, _, err := openTest(t.Context(), Spec{Recipes: recipes[:1], Secrets: 1}, 1)
	require.ErrorAs(t, err, new(target.UnfitError))
	require.NoError(t, of.Close(context.Background()))
}

// TestLimit limits real processes, where this machine lets it.
func TestLimit(t *testing.T) {
	of, err := Open(t.Context(), Spec{CPUs: 0.5})
	if exit.CodeOf(err) == exit.Environment && strings.Contains(err.Error(), "CPU limit") {
		t.Skip(err)
	}
	require.NoError(t, err)
	pid := of.server.Nodes()[0].PID()
	require.Equal(t, 0.5, of.Info().CPUs)
	require.Contains(t, of.Info().Limited, "0.5 cores")
	groups, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	require.NoError(t, err)
	require.Contains(t, string(groups), "steamer-")
	require.NoError(t, of.SetCPUs(0))
	require.Empty(t, of.Info().Limited)
	require.NoError(t, of.Close(t.Context()))
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
}
