package openbao_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/openbao"
)

// TestAtLeast: the version that answers decides, and a release candidate has what its release has.
func TestAtLeast(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"2.4.0": false, "2.4.4": false, "2.5.0": true, "2.5.0-beta20251125": true, "2.10.0": true, "v2.6.2": true,
		"2.4.9-rc1": false, "2.6.2+hsm": true, "1.13.0": false,
	} {
		got, err := openbao.AtLeast(version, openbao.HTTPAuditSince)
		require.NoError(t, err)
		require.Equal(t, want, got, version)
	}
	for _, version := range []string{"", "latest", "2.x"} {
		_, err := openbao.AtLeast(version, openbao.HTTPAuditSince)
		require.ErrorContains(t, err, "OpenBao's version", version)
	}
}
