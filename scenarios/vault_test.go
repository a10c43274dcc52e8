//go:build vault

package scenarios_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target/local"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
	"gitlab.com/steamer/steamer/scenarios"
)

// TestVault runs every scenario that applies against $STEAMER_VAULT: all pass, and what Vault does
// not have is the reason of each skip that OpenBao's processes do not have.
func TestVault(t *testing.T) {
	env := onVault(t, nil)
	out, err := scenario.Run(t.Context(), env, scenarios.All(), scenario.Options{})
	require.NoError(t, err)
	passed := map[string]int{}
	for i, r := range out {
		reason := env.Skip(scenarios.All()[i])
		if reason != "" {
			assert.Equal(t, result.Skipped, r.Status, r.ID)
			continue
		}
		assert.Equal(t, result.Passed, r.Status, "%s: %s", r.ID, r.Reason)
		group, _, _ := strings.Cut(r.ID, "/")
		passed[group]++
	}
	for group, least := range map[string]int{"access": 50, "abuse": 55, "audit": 2, "config": 10} {
		assert.GreaterOrEqual(t, passed[group], least, "scenarios of %s that apply to Vault", group)
	}
}

// TestVaultWrongPolicy: a policy that reaches into other projects fails, and for that reason.
func TestVaultWrongPolicy(t *testing.T) {
	recipes, err := gitlab.RecipesFor(openbao.KindVault)
	require.NoError(t, err)
	for i, step := range recipes[0].Secret {
		if step.Grant != nil {
			recipes[0].Secret[i].Grant["+/+/kv/data/explicit/*"] = []string{"read"}
		}
	}
	r := run(t, onVault(t, recipes), "access/other-project")
	require.Equal(t, result.Failed, r.Status)
	require.Contains(t, r.Reason, "status 200, want 403")
}

// onVault is an environment on a Vault of its own with tenants of some recipes, nil for Steamer's.
func onVault(t *testing.T, recipes []*gitlab.Recipe) *scenario.Env {
	t.Helper()
	of, err := local.Open(t.Context(), local.Spec{Server: localbao.Options{Kind: openbao.KindVault}, Recipes: recipes})
	require.NoError(t, err)
	t.Cleanup(func() { _ = of.Close(t.Context()) }) // never fails
	_, _, err = of.Grow(t.Context(), 12)
	require.NoError(t, err)
	env, done, err := of.Env()
	require.NoError(t, err)
	t.Cleanup(done)
	return env
}
