//go:build vault

package scenarios_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	of, err := local.Open(t.Context(), local.Spec{Server: localbao.Options{Kind: openbao.KindVault}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, of.Close(t.Context())) })
	_, _, err = of.Grow(t.Context(), 12)
	require.NoError(t, err)
	env, done, err := of.Env()
	require.NoError(t, err)
	t.Cleanup(done)
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
	t.Log(passed)
}
