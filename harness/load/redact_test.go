package load_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gitlab.com/steamer/steamer/harness/load"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	inline := base64.RawURLEncoding.EncodeToString([]byte(`{"key":"jwt","value":"` + testJWT + `"}`))
	for _, secret := range []string{
		testJWT, inline, "s.AbCdEfGhIjKlMnOpQrStUvWx", "hvs.CAESIJlU02fooBarBazQux",
		"b.AAAAAQLexample_batch-token",
	} {
		for _, around := range []string{"%s", "jwt=%s&x", `{"token":"%s"}`, "a\t%s\n"} {
			got := load.Redact(fmt.Sprintf(around, secret))
			require.NotContains(t, got, secret[4:], "%s", secret)
			require.Contains(t, got, "[redacted]")
		}
	}
	const plain = "ERRO[0001] cannot reach 127.0.0.1:18200 status.code org_1/group_5"
	require.Equal(t, plain, load.Redact(plain))
}

func TestTail(t *testing.T) {
	t.Parallel()
	var tail load.Tail
	write := func(s string) {
		n, err := tail.Write([]byte(s))
		require.NoError(t, err)
		require.Equal(t, len(s), n)
	}
	write("first " + testJWT[:30])
	write(testJWT[30:] + " end\n")
	write(strings.Repeat("x", 60_000))
	write(strings.Repeat("x", 60_000) + testJWT)
	write(testJWT + "\n\nlong " + strings.Repeat("y", 900) + "\nunfinished " + testJWT)
	got := tail.String()
	require.NotContains(t, got, "eyJ")
	require.NotContains(t, got, "c2lnbmF0dXJl")
	require.Contains(t, got, "first [redacted] end")
	require.Contains(t, got, "[a line of more than 65536 bytes is left out]")
	require.Contains(t, got, "y [cut]")
	require.Contains(t, got, "unfinished [redacted]")

	for i := range 100 {
		write(fmt.Sprintf("line %d\n", i))
	}
	lines := strings.Split(tail.String(), "\n")
	require.Len(t, lines, 20)
	require.Equal(t, "line 99", lines[19])
}
