package scenarios_test

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target/local"
	"gitlab.com/steamer/steamer/scenarios"
)

// server is the one target of this test package, which the first test opens.
var server struct {
	sync.Once
	*local.Target
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server.Target != nil {
		_ = server.Close(context.Background()) // never fails
	}
	os.Exit(code)
}

// seeded returns an environment on the shared server with tenants whose numbers start at base.
func seeded(t *testing.T, base, tenants int) *scenario.Env {
	t.Helper()
	server.Do(func() { server.Target, server.err = local.Open(context.Background(), local.Spec{}) })
	require.NoError(t, server.err)
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	own := server.Beside(base, recipes)
	_, _, err = own.Grow(t.Context(), tenants)
	require.NoError(t, err)
	env, done, err := own.Env()
	require.NoError(t, err)
	t.Cleanup(done)
	return env
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
