package scenario

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/secret"
)

func TestReadable(t *testing.T) {
	t.Parallel()
	redact := secret.NewRedactor()
	for name, tc := range map[string]struct {
		fail func(T)
		want string
	}{
		"testify": {
			func(t T) { require.LessOrEqual(t, 881, 700, "series with %d projects", 50) },
			`series with 50 projects: "881" is not less than or equal to "700"`,
		},
		"testify, no message": {func(t T) { require.Empty(t, "x") }, "Should be empty, but was x"},
		"testify, a diff": {
			func(t T) { require.Equal(t, "a\nb", "a\nc", "the answer") },
			`the answer: Not equal: expected: "a\nb" actual : "a\nc"`,
		},
		"own":               {func(t T) { t.Errorf("got %d, want 403", 200) }, "got 200, want 403"},
		"mentions an error": {func(t T) { t.Errorf("first\nError: second") }, "first\nError: second"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRecorder(redact)
			done := make(chan struct{})
			go func() { // FailNow ends the goroutine
				defer close(done)
				tc.fail(r)
			}()
			<-done
			failed, _, reason, log, _ := r.seal()
			require.True(t, failed)
			require.Equal(t, tc.want, reason)
			require.NotEmpty(t, log, "the whole message is in the log")
		})
	}
}
