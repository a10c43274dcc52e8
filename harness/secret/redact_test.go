package secret_test

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/secret"
)

const planted = "Pl4nted/c@nary+value=1"

// TestRedactEncodings hides a secret in every form at several offsets and looks
// for any eight characters of it afterwards.
func TestRedactEncodings(t *testing.T) {
	t.Parallel()
	unknown := gitlab.Value("seed nobody knows", "t", "n", 1)
	r := secret.NewRedactor(planted)
	for _, hidden := range []string{planted, unknown} {
		for pad := range 4 {
			plain := strings.Repeat("x", pad) + hidden + " and more"
			for name, text := range map[string]string{
				"plain": plain, "hex": hex.EncodeToString([]byte(plain)), "url": url.QueryEscape(plain),
				"base64": base64.StdEncoding.EncodeToString([]byte(plain)), "base64url": base64.RawURLEncoding.EncodeToString(
					[]byte(plain)),
			} {
				clean := r.Redact("before " + text + " after")
				require.True(t, r.Leaks(text), name)
				require.Contains(t, clean, "before ")
				require.Contains(t, clean, secret.Redacted)
				for _, form := range secret.Encodings(hidden) {
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
	r := secret.NewRedactor()
	for _, hidden := range []string{
		jwt, unsigned, openbao.Parameter("jwt", jwt), "s.abcdefghijklmnopqrstuvwxyz", "glpat-abcdefghijklmnopqrst",
		"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIA\n-----END EC PRIVATE KEY-----",
	} {
		clean := r.Redact("a " + hidden + " b")
		require.Contains(t, clean, secret.Redacted)
		require.NotContains(t, clean, hidden[len(hidden)/2:])
	}
	for text, want := range map[string]string{
		"postgres://u:hunter2@host/db":             "postgres://[redacted]@host/db",
		"redis://:hunter2@host":                    "redis://[redacted]@host",
		"host=h password=hunter2 dbname=d":         "host=h password=[redacted] dbname=d",
		"password='hunter 2' dbname=d":             "password=[redacted] dbname=d",
		"PGPASSWORD=hunter2":                       "PGPASSWORD=[redacted]",
		"cut off: -----BEGIN PRIVATE KEY-----\nMH": "cut off: [redacted]",
	} {
		require.Equal(t, want, r.Redact(text))
	}
	for _, harmless := range []string{
		"password=" + secret.Withheld, "oci://registry:5000/image@sha256:abc", "the password: it is wrong",
		"status 403: permission denied", "group_1/project_2/secrets/kv/data/explicit/SECRET_1",
		"http://127.0.0.1:8200/v1/sys/health",
		"openbao-7d9f8c6b5d-x2x4z", "sha256:" + strings.Repeat("ab", 32),
	} {
		require.False(t, r.Leaks(harmless), harmless)
	}
}

func TestRedactFailsSafe(t *testing.T) {
	t.Parallel()
	var none *secret.Redactor
	require.NotContains(t, none.Redact(planted), "anary")
	require.NotContains(t, new(secret.Redactor).Redact(planted), "anary", "a redactor that was never made panics inside")
}

// FuzzRedact looks for text in which a known secret survives.
func FuzzRedact(f *testing.F) {
	r := secret.NewRedactor(planted, "abcabcabc")
	f.Add("a", "b")
	f.Add("abcabc", "://u:")
	f.Fuzz(func(t *testing.T, before, after string) {
		clean := r.Redact(before + planted + after)
		require.NotContains(t, clean, planted)
		require.NotPanics(t, func() { r.Redact(before) })
	})
}
