package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestByAddress reads what psql prints for several statements.
func TestByAddress(t *testing.T) {
	t.Parallel()
	got, err := byAddress("BEGIN\nLOCK TABLE\n\n10.244.0.7|9\n10.244.0.8|2\nCOMMIT")
	require.NoError(t, err)
	require.Equal(t, map[string]int{"10.244.0.7": 9, "10.244.0.8": 2}, got)
	for _, text := range []string{"", "BEGIN\nCOMMIT", "10.244.0.7|many"} {
		_, err := byAddress(text)
		require.Error(t, err, text)
	}
}
