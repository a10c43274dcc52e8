package plan

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestShards: a number or auto, in a file as in a flag.
func TestShards(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Shards{`"auto"`: 0, `3`: 3, `"3"`: 3} {
		var s Shards
		require.NoError(t, json.Unmarshal([]byte(text), &s), text)
		require.Equal(t, want, s)
		again, err := json.Marshal(s)
		require.NoError(t, err)
		var back Shards
		require.NoError(t, json.Unmarshal(again, &back))
		require.Equal(t, s, back)
	}
	for _, text := range []string{`0`, `-1`, `"many"`, `1.5`, `null`, `""`} {
		var s Shards
		require.Error(t, json.Unmarshal([]byte(text), &s), text)
	}
}
