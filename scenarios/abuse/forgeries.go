package abuse

import (
	"encoding/json"
	"strings"

	"gitlab.com/steamer/steamer/harness/gitlab"
)

// forgeryRows are tokens with the right claims that GitLab did not sign, or not so.
func forgeryRows() []tokenRow {
	row := func(name, title, text string, make func(maker) (string, error)) tokenRow {
		return tokenRow{name, title, make, refused(text), refused(text)}
	}
	return []tokenRow{
		// Catches: a verifier that lets the token choose how it is verified (RFC 8725, section
		// 3.1).
		row("unsigned", "A token with algorithm none is refused", signature, unsigned("none")),
		row("unsigned-other-case", "A token with algorithm nOnE is refused", signature, unsigned("nOnE")),
		row("unsigned-claims-signature", "A token that names RS256 and has no signature is refused", signature,
			unsigned("RS256")),
		row("hmac-public-key", "A token signed by HMAC with the public key is refused", signature,
			func(m maker) (string, error) {
				key, err := m.env.Issuer.PublicPEM()
				if err != nil {
					return "", err
				}
				return gitlab.SignHMAC(m.claims(), m.env.Issuer.KeyID(), key)
			}),
		row("hmac-empty-key", "A token signed by HMAC with an empty key is refused", signature,
			func(m maker) (string, error) {
				return gitlab.SignHMAC(m.claims(), m.env.Issuer.KeyID(), nil)
			}),
		// Catches: a key looked up by its ID only.
		row("other-key", "A token of another key under its own ID is refused", signature, func(m maker) (string, error) {
			return m.forged(nil)
		}),
		row("other-key-true-id", "A token of another key under the true ID is refused", signature,
			func(m maker) (string, error) {
				return m.forged(map[string]any{"kid": m.env.Issuer.KeyID()})
			}),
		// Catches: a key taken from the token or fetched from where it says.
		row("embedded-key", "A token that brings its own key is refused", signature, func(m maker) (string, error) {
			forger, err := gitlab.NewIssuer(m.env.Issuer.URL(), gitlab.RS256)
			if err != nil {
				return "", err
			}
			set, err := forger.JWKS()
			if err != nil {
				return "", err
			}
			key := strings.TrimSuffix(strings.TrimPrefix(string(set), `{"keys":[`), "]}")
			return forger.Sign(m.claims(), map[string]any{"jwk": json.RawMessage(key)})
		}),
		row("key-url", "A token that says where its key is, is refused", signature, func(m maker) (string, error) {
			return m.forged(map[string]any{"jku": "http://127.0.0.1:9/keys"})
		}),
		row("certificate-url", "A token that says where its certificate is, is refused", signature,
			func(m maker) (string, error) {
				return m.forged(map[string]any{"x5u": "http://127.0.0.1:9/cert"})
			}),
		row("unknown-key-id", "A good signature under an unknown key ID is refused", signature,
			header("kid", "steamer-none")),
		row("key-id-path", "A key ID that is a path is refused", signature, header("kid", "../../../../dev/null")),
		row("key-id-sql", "A key ID that is SQL is refused", signature, header("kid", "' OR '1'='1")),
		row("critical-header", "A header that must be understood and is not, is refused", signature,
			header("crit", []string{"steamer"})),
		// Catches: a signature that covers less than everything.
		row("signature-cut", "A signature that is too short is refused", signature,
			cut(func(s string) string { return s[:len(s)-16] })),
		row("signature-missing", "A token whose signature was taken off is refused", signature,
			cut(func(s string) string { return s[:strings.LastIndex(s, ".")+1] })),
		row("signature-of-other", "The signature of another token is refused", signature, func(m maker) (string, error) {
			first, err := m.env.Issuer.Sign(m.claims(), nil)
			if err != nil {
				return "", err
			}
			second, err := m.env.Issuer.Sign(m.claims(), nil) // another jti
			return first[:strings.LastIndex(first, ".")] + second[strings.LastIndex(second, "."):], err
		}),
		row("two-parts", "A token of two parts is refused", signature,
			cut(func(s string) string { return s[:strings.LastIndex(s, ".")] })),
		row("four-parts", "A token of four parts is refused", signature, cut(func(s string) string { return s + ".x" })),
		row("empty", "An empty token is refused", "missing token", cut(func(string) string { return "" })),
		row("garbage", "Text that is no token is refused", signature, cut(func(string) string { return "no token" })),
		row("garbage-dots", "Dots are no token", signature, cut(func(string) string { return ".." })),
		row("garbage-large", "64 KiB that are no token are refused", signature,
			cut(func(string) string { return strings.Repeat("a", 64<<10) })),
		row("garbage-many-dots", "Thousands of dots are refused", signature,
			cut(func(string) string { return strings.Repeat(".", 32<<10) })),
	}
}
