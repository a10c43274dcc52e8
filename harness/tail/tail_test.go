package tail_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/tail"
)

func TestRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limit      int
		text, want string
	}{
		"nothing":            {10, "", ""},
		"shorter":            {10, "a\nb\n", "a\nb\n"},
		"as long":            {4, "a\nb\n", "a\nb\n"},
		"longer":             {6, "first\nab\ncd\n", "[9 bytes before this are left out]\ncd\n"},
		"cut inside a line":  {7, "first\nab\ncd\n", "[6 bytes before this are left out]\nab\ncd\n"},
		"one line of it all": {4, "abcdefgh", "[8 bytes before this are left out]\n"},
		"much longer":        {3, strings.Repeat("x\n", 1000), "[1998 bytes before this are left out]\nx\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := tail.Read(strings.NewReader(test.text), test.limit)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
			got, err = tail.Read(iotest.OneByteReader(strings.NewReader(test.text)), test.limit)
			require.NoError(t, err)
			require.Equal(t, test.want, got, "however it comes")
		})
	}
}

// FuzzBuffer: what is kept is the end, what is left out is counted.
func FuzzBuffer(f *testing.F) {
	f.Add("a\nb\nc\n", 3, 2)
	f.Fuzz(func(t *testing.T, text string, limit, step int) {
		if limit < 1 || limit > 1<<12 || step < 1 {
			t.Skip("no limit that anybody sets")
		}
		b := tail.Buffer{Limit: limit}
		for rest := text; rest != ""; {
			n := min(step, len(rest))
			fmt.Fprint(&b, rest[:n])
			rest = rest[n:]
		}
		got := b.String()
		if len(text) <= limit {
			require.Equal(t, text, got)
			return
		}
		note, end, _ := strings.Cut(got, "\n")
		require.Equal(t, fmt.Sprintf("[%d bytes before this are left out]", len(text)-len(end)), note)
		require.True(t, strings.HasSuffix(text, end))
		require.LessOrEqual(t, len(end), limit)
	})
}
