package scenario_test

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/bao"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
)

const planted = "Pl4nted/c@nary+value=1"

// TestRedactEncodings hides a secret in every form at several offsets and looks
// for any eight characters of it afterwards.
func TestRedactEncodings(t *testing.T) {
	t.Parallel()
	unknown := gitlab.Value("seed nobody knows", "t", "n", 1)
	r := scenario.NewRedactor(planted)
	for _, secret := range []string{planted, unknown} {
		for pad := range 4 {
			plain := strings.Repeat("x", pad) + secret + " and more"
			for name, text := range map[string]string{
				"plain": plain, "hex": hex.EncodeToString([]byte(plain)), "url": url.QueryEscape(plain),
				"base64": base64.StdEncoding.EncodeToString([]byte(plain)), "base64url": base64.RawURLEncoding.EncodeToString([]byte(plain)),
			} {
				clean := r.Redact("before " + text + " after")
				require.True(t, r.Leaks(text), name)
				require.Contains(t, clean, "before ")
				require.Contains(t, clean, scenario.Redacted)
				for _, form := range scenario.Encodings(secret) {
					require.NotContains(t, clean, form, name)
				}
			}
		}
	}
}

func TestRedactShapes(t *testing.T) {
	t.Parallel()
	issuer, err := gitlab.NewIssuer("http://x", gitlab.ES256)
	require.NoError(t, err)
	jwt, err := issuer.Privileged("aud")
	require.NoError(t, err)
	unsigned, err := gitlab.Unsigned(map[string]any{"sub": "someone"})
	require.NoError(t, err)
	r := scenario.NewRedactor()
	for _, secret := range []string{
		jwt, unsigned, bao.Parameter("jwt", jwt), "s.abcdefghijklmnopqrstuvwxyz", "postgres://u:hunter2@host/db",
	} {
		clean := r.Redact("a " + secret + " b")
		require.Contains(t, clean, scenario.Redacted)
		require.NotContains(t, clean, secret[len(secret)/2:])
	}
	for _, harmless := range []string{
		"status 403: permission denied", "group_1/project_2/secrets/kv/data/explicit/SECRET_1", "http://127.0.0.1:8200/v1/sys/health",
		"openbao-7d9f8c6b5d-x2x4z", "sha256:" + strings.Repeat("ab", 32),
	} {
		require.False(t, r.Leaks(harmless), harmless)
	}
}

func TestRedactFailsSafe(t *testing.T) {
	t.Parallel()
	var none *scenario.Redactor
	require.NotContains(t, none.Redact(planted), "anary")
	require.NotContains(t, new(scenario.Redactor).Redact(planted), "anary", "a redactor that was never made panics inside")
}

// FuzzRedact looks for text in which a known secret survives.
func FuzzRedact(f *testing.F) {
	r := scenario.NewRedactor(planted, "abcabcabc")
	f.Add("a", "b")
	f.Add("abcabc", "://u:")
	f.Fuzz(func(t *testing.T, before, after string) {
		clean := r.Redact(before + planted + after)
		require.NotContains(t, clean, planted)
		require.NotPanics(t, func() { r.Redact(before) })
	})
}
