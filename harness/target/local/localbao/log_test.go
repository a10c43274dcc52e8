package localbao

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLastWords: a panic is kept with the lines before it, and its stack is cut.
func TestLastWords(t *testing.T) {
	t.Parallel()
	stack := strings.Repeat("\tframe\n", 100)
	for name, tc := range map[string]struct {
		log         string
		first, last string
		lines       int
	}{
		"panic": {"a\nb\nc\nd\npanic: nil\n" + stack, "d", "\tframe", linesBefore + linesAfter},
		"fatal": {"fatal error: out of memory\n", "fatal error: out of memory", "fatal error: out of memory", 1},
		"none":  {"a\n" + strings.Repeat("b\n", linesAtEnd-1) + "c\n", "b", "c", linesAtEnd},
		"blank": {"a\n\npanic: nil\n\n", "a", "panic: nil", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := LastWords(tc.log)
			require.Len(t, lines, tc.lines)
			require.Equal(t, tc.first, lines[0])
			require.Equal(t, tc.last, lines[len(lines)-1])
		})
	}
}
