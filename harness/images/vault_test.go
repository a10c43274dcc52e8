package images

import (
	"testing"

	"github.com/Masterminds/semver/v3"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

// TestVersionsThatAreNeverBuilt: only the pinned version of an image can be asked for, and one of
// Vault under the Business Source License is refused for that reason, before anything is built.
func TestVersionsThatAreNeverBuilt(t *testing.T) {
	t.Parallel()
	b := &Builder{Root: sourceTree(t), Cache: t.TempDir(), Source: FromBuild, Progress: func(work string, _ float64) {
		t.Errorf("something was built: %s", work)
	}}
	const license, pinned = "Business Source License", "pinned by checksums"
	for asked, why := range map[string]string{
		"vault:1.15.0": license, "vault:v1.15.0": license, "vault:1.15.0-rc1": license, "vault:1.15.0+ent": license,
		"vault:1.21": license, "vault:2.0.4": license,
		"vault:1.14.10": pinned, "vault:1.13.1": pinned, "vault:1.13.0+ent": pinned, "vault:latest": pinned,
		"openbao:2.6.2": pinned, "postgresql:17": pinned,
	} {
		_, err := b.Ensure(t.Context(), "gitlab-stub:"+stubVersion, asked)
		require.ErrorContains(t, err, why, asked)
		require.ErrorContains(t, err, "--image", asked)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), asked)
	}
}

// TestVaultIsOptIn: what builds all images builds no Vault, and its version is not under the
// Business Source License.
func TestVaultIsOptIn(t *testing.T) {
	t.Parallel()
	b := &Builder{Root: sourceTree(t), Cache: t.TempDir(), Source: FromBuild}
	require.NotContains(t, Names(), Vault)
	require.NotContains(t, b.names(), Vault)
	require.Contains(t, b.recipes(), Vault)
	require.Empty(t, refusesVault(vaultVersion))
	require.True(t, semver.MustParse(vaultVersion).LessThan(semver.MustParse(vaultBUSL)))
	list, err := b.List()
	require.NoError(t, err)
	require.Equal(t, Vault, list[len(list)-1].Name, "it can be seen")
}
