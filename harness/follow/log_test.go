package follow

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEndedLogsAreSmall: a long run ends thousands of containers, and a compressor takes a
// megabyte.
func TestEndedLogsAreSmall(t *testing.T) {
	t.Parallel()
	l := &log{take: func(int) bool { return true }}
	_, err := l.Write([]byte("first\n"))
	require.NoError(t, err)
	for _, when := range []string{"open", "closed", "closed twice"} {
		content, gap, err := l.content()
		require.NoError(t, err, when)
		require.Empty(t, gap, when)
		text, err := io.ReadAll(content)
		require.NoError(t, err, when)
		require.Equal(t, "first\n", string(text), when)
		l.close()
		require.Nil(t, l.writer)
	}
	require.Less(t, l.zipped.Cap(), 1<<10)
}

// TestLogWithoutText: a container that wrote nothing has an empty log, and no gap.
func TestLogWithoutText(t *testing.T) {
	t.Parallel()
	l := &log{take: func(int) bool { return true }}
	l.close()
	content, gap, err := l.content()
	require.NoError(t, err)
	require.Empty(t, gap)
	text, err := io.ReadAll(content)
	require.NoError(t, err)
	require.Empty(t, text)
}

// TestForgetsWhatWasWhole: a log that ended after a search began is searched once more, whole.
func TestForgetsWhatWasWhole(t *testing.T) {
	t.Parallel()
	l := &log{take: func(int) bool { return true }}
	_, err := l.Write([]byte("first\n"))
	require.NoError(t, err)
	for _, when := range []string{"it runs", "it runs still", "it has ended since"} {
		if when == "it has ended since" {
			l.close()
		}
		freed, forgotten := l.forget()
		require.False(t, forgotten, when)
		require.Zero(t, freed, when)
	}
	freed, forgotten := l.forget()
	require.True(t, forgotten)
	require.NotZero(t, freed)
	require.Zero(t, l.zipped.Cap())
}
