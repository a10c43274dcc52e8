package images

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDebianSources: whatever the host's suite is, packages come from the images' suite, of the host's mirror of Debian or else Debian's own.
func TestDebianSources(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]string{
		"": defaultMirror, "\n": defaultMirror, "none of it": defaultMirror,
		"http://mirror.example/debian/\nhttp://other.example/debian/\n": "http://mirror.example/debian",
	} {
		require.Equal(t, want, firstMirror(list))
	}
	require.Equal(t, "deb [signed-by="+keyring+"] http://m/debian bookworm main\n", sourcesList("http://m/debian"))
}
