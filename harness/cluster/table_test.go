package cluster

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWriteTable: the table says whose each cluster is, whether it is used and until when it is
// kept.
func TestWriteTable(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	owner := func(user string, keep bool) *Owner {
		return &Owner{
			Identity: Identity{User: user, Host: "ci7", Checkout: "/src/steamer", Cache: "/cache"}, Run: "r1",
			Created: now.Add(-time.Hour), TTL: 4 * time.Hour, Keep: keep,
		}
	}
	var out bytes.Buffer
	require.NoError(t, WriteTable(&out, []Found{
		{Name: "a", Whose: Mine, Owner: owner("anna", false), Life: Gone, Expired: true},
		{Name: "b", Whose: Mine, Owner: owner("anna", true), Life: Alive},
		{Name: "c", Whose: Theirs, Owner: owner("bert", false), Life: Unknown},
		{Name: "d", Whose: Unreadable, Problem: "its mark is damaged"},
		{Name: "e", Whose: Unmarked},
	}, now))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 6)
	for i, want := range []string{
		"NAME WHOSE OWNER RUN AGE IN USE KEPT UNTIL EXPIRED",
		"a mine anna on ci7, checkout /src/steamer, cache /cache r1 1h0m0s no its run ends true",
		"b mine anna on ci7, checkout /src/steamer, cache /cache r1 1h0m0s yes 2026-01-01T15:00:00Z false",
		"c theirs bert on ci7, checkout /src/steamer, cache /cache r1 1h0m0s unknown its run ends -",
		"d unreadable its mark is damaged - - - - -",
		"e unmarked not Steamer's - - - - -",
	} {
		require.Equal(t, want, strings.Join(strings.Fields(lines[i]), " "))
	}
}
