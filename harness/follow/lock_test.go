package follow

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRoomWithoutTheListsLock: whoever holds the list's lock takes the locks of logs, so a log that
// is written to, and locked, must not wait for the list's. Otherwise both wait for ever.
func TestRoomWithoutTheListsLock(t *testing.T) {
	t.Parallel()
	p := &Pods{}
	l := &log{take: p.take}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := l.Write([]byte("a line\n")) // would hang
	require.NoError(t, err)
	require.Positive(t, p.used.Load())
}
