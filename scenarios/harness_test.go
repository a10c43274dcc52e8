package scenarios_test

import (
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/localbao"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios"
)

var server localbao.Shared //nolint:gochecknoglobals // one server per test package

// issuer is the one issuer whose keys the shared server sees.
var issuer struct { //nolint:gochecknoglobals // belongs to server
	sync.Once
	*gitlab.Issuer
}

func trusted(t *testing.T) *gitlab.Issuer {
	t.Helper()
	s := server.Get(t)
	issuer.Do(func() {
		made, err := gitlab.NewIssuer(s.Issuer, gitlab.RS256)
		require.NoError(t, err)
		jwks, err := made.JWKS()
		require.NoError(t, err)
		s.Publish(jwks)
		issuer.Issuer = made
	})
	require.NotNil(t, issuer.Issuer)
	return issuer.Issuer
}

func TestMain(m *testing.M) {
	code := m.Run()
	server.Stop()
	os.Exit(code)
}

// seeded returns an environment on the shared server with tenants whose numbers start at base.
func seeded(t *testing.T, base, tenants int) *scenario.Env {
	t.Helper()
	s := server.Get(t)
	issuer := trusted(t)
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	plan, err := gitlab.PlanAt(recipes, base, tenants, 4)
	require.NoError(t, err)
	client := openbao.New(s.Address, nil)
	t.Cleanup(client.Close)
	seeder := &gitlab.Seeder{Client: client, Issuer: issuer, Audience: s.Audience, Seed: "test", Recipes: recipes}
	_, err = seeder.Run(t.Context(), plan)
	require.NoError(t, err)
	return &scenario.Env{
		Topology: "local", Address: s.Address, Client: client, Issuer: issuer,
		Audience: s.Audience, Tenants: plan, Seed: "test", AuditFile: s.AuditLog(),
	}
}

// run runs one scenario and returns its result.
func run(t *testing.T, env *scenario.Env, id string) result.Scenario {
	t.Helper()
	list, err := scenario.Select(scenarios.All(), "^"+id+"$")
	require.NoError(t, err)
	out, err := scenario.Run(t.Context(), env, list, scenario.Options{})
	require.NoError(t, err)
	require.Len(t, out, 1)
	return out[0]
}
