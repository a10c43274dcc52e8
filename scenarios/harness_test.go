package scenarios_test

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/bao"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/localbao"
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

// seeded returns an environment on the shared server, provisioned with recipes
// edited by edit and with tenants whose numbers start at base.
func seeded(t *testing.T, base, tenants int, edit func(id, yaml string) string) *scenario.Env {
	t.Helper()
	s := server.Get(t)
	issuer := trusted(t)
	var recipes []*gitlab.Recipe
	for _, id := range []string{"two-level-jwt", "three-level-cel"} {
		raw, err := os.ReadFile("../harness/gitlab/recipes/" + id + ".yaml")
		require.NoError(t, err)
		r, err := gitlab.ParseRecipe(id, []byte(edit(id, string(raw))))
		require.NoError(t, err)
		recipes = append(recipes, r)
	}
	plan, err := gitlab.PlanAt(recipes, base, tenants, 4)
	require.NoError(t, err)
	raw, err := os.ReadFile("../harness/gitlab/recipes/group/three-level-cel.yaml")
	require.NoError(t, err)
	group, err := gitlab.ParseRecipe("group", []byte(edit("group-three-level-cel", string(raw))))
	require.NoError(t, err)
	client := bao.New(s.Address, nil)
	t.Cleanup(client.Close)
	seeder := &gitlab.Seeder{Client: client, Issuer: issuer, Audience: s.Audience, Seed: "test", Recipes: recipes}
	_, err = seeder.Run(t.Context(), plan)
	require.NoError(t, err)
	return &scenario.Env{
		Topology: "local", Address: s.Address, Client: client, Issuer: issuer,
		Audience: s.Audience, Tenants: plan, Recipes: append(recipes, group), Seed: "test",
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

func asIs(_, yaml string) string { return yaml }

// replace edits one recipe, or both of projects when only is "", and insists that it does.
func replace(t *testing.T, only, old, new string) func(id, yaml string) string {
	t.Helper()
	return func(id, yaml string) string {
		if only != id && (only != "" || strings.HasPrefix(id, "group-")) {
			return yaml
		}
		require.Contains(t, yaml, old)
		return strings.ReplaceAll(yaml, old, new)
	}
}
