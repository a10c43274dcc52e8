//go:build vault

package local

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// TestVault runs $STEAMER_VAULT on a real PostgreSQL: initialised and unsealed over its API,
// tenants as mounts and policies, every value checked through a login, load in both modes that it
// knows, a restart that has to unseal again, and a takeover.
func TestVault(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx := t.Context()
	of, _, err := openTest(ctx, Spec{
		Server:    localbao.Options{Kind: openbao.KindVault},
		Generator: target.Generator{K6: loadtest.K6(t), Scripts: "../../../perf/scripts", Dir: t.TempDir()},
		Standby:   true, Secrets: 4,
	}, 6)
	require.NoError(t, err)
	defer func() { require.NoError(t, of.Close(ctx)) }()
	info := of.Info()
	require.Regexp(t, `^1\.13\.`, info.Versions["vault"])
	require.NotContains(t, info.Versions, "openbao")
	require.Equal(t, "mounts-jwt", of.Tenants()[0].Recipe)

	for _, mode := range load.LoginModes() {
		seen, err := of.Drive(ctx, target.Job{Name: mode, Rate: 20, Profile: load.Profile{
			Name: mode, Workload: "fetch", Mode: mode, Duration: document.Duration(5 * time.Second),
			VUs: load.VUs{Initial: 20, Max: 40},
		}})
		require.NoError(t, err)
		l := seen.Topology.Load
		require.Greater(t, l.Fetches, int64(80), mode)
		require.Equal(t, [2]int64{0, 0}, [2]int64{l.Failed, l.Wrong}, "%s: %v", mode, l.Extra)
	}

	tenant := of.Tenants()[0]
	other := of.Tenants()[1]
	env, done, err := of.Env()
	require.NoError(t, err)
	defer done()
	for _, s := range tenant.Secrets {
		require.NoError(t, env.Check(ctx, tenant, s))
	}
	stolen := tenant
	stolen.SecretPath = other.SecretPath
	require.ErrorContains(t, env.Check(ctx, stolen, other.Secrets[0]), "403", "a policy ends at its own project")
	stolen = tenant
	stolen.AuthPath = other.AuthPath
	require.ErrorContains(t, env.Check(ctx, stolen, tenant.Secrets[0]), "login refused")

	seconds, err := of.Restart(ctx)
	require.NoError(t, err)
	require.Positive(t, seconds)
	seconds, err = of.Failover(ctx, true)
	require.NoError(t, err)
	t.Logf("a killed node cost %.1f s", seconds)

	r, err := env.Rails(ctx, "GET", "auth/token/accessors?list=true", nil)
	require.NoError(t, err)
	require.True(t, r.OK(), "%s", r.Message())
	var accessors struct{ Keys []string }
	require.NoError(t, json.Unmarshal(r.Data, &accessors))
	require.NotEmpty(t, accessors.Keys, "mode login-read leaves its tokens")
	for _, accessor := range accessors.Keys {
		r, err := env.Rails(ctx, "POST", "auth/token/lookup-accessor", map[string]string{"accessor": accessor})
		require.NoError(t, err)
		var token struct{ Policies []string }
		require.NoError(t, json.Unmarshal(r.Data, &token))
		require.NotContains(t, token.Policies, "root", "the root token ended after the setup")
	}
}

// TestVaultSealed: a node that is not unsealed never serves, and its health says why.
func TestVaultSealed(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx := t.Context()
	of, _, err := openTest(ctx, Spec{Server: localbao.Options{Kind: openbao.KindVault}, Secrets: 1}, 1)
	require.NoError(t, err)
	defer func() { require.NoError(t, of.Close(ctx)) }()
	env, done, err := of.Env()
	require.NoError(t, err)
	defer done()
	tenant := of.Tenants()[0]
	require.NoError(t, env.Check(ctx, tenant, tenant.Secrets[0]))

	r, err := env.Rails(ctx, "PUT", "sys/seal", nil)
	require.NoError(t, err)
	require.True(t, r.OK(), "%s", r.Message())
	health, err := env.Client.Health(ctx)
	require.NoError(t, err)
	require.True(t, health.Sealed)
	require.Equal(t, 503, health.Status)
	require.ErrorContains(t, env.Check(ctx, tenant, tenant.Secrets[0]), "503", "a sealed Vault serves nothing")
}
