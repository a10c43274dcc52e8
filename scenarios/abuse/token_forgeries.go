package abuse

import (
	"encoding/json"
	"strings"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// tokenForgeries are tokens with the right claims, but without a valid signature by GitLab.
func tokenForgeries() []scenario.Scenario {
	return scenario.Table(tokenTable(),
		// Catches: a verifier that lets the token choose how it is verified (RFC 8725, section
		// 3.1).
		core(scenario.Row("abuse/token-unsigned", "A token with algorithm none is refused",
			tokenRefused(unsigned("none"), signature))),
		scenario.Row("abuse/token-unsigned-other-case", "A token with algorithm nOnE is refused",
			tokenRefused(unsigned("nOnE"), signature)),
		scenario.Row("abuse/token-unsigned-claims-signature",
			"A token that names RS256 but has no signature is refused",
			tokenRefused(unsigned("RS256"), signature)),
		core(scenario.Row("abuse/token-hmac-public-key", "A token signed by HMAC with the public key is refused",
			tokenRefused(func(m maker) (string, error) {
				key, err := m.env.Issuer.PublicPEM()
				if err != nil {
					return "", err
				}
				return gitlab.SignHMAC(m.claims(), m.env.Issuer.KeyID(), key)
			}, signature))),
		scenario.Row("abuse/token-hmac-empty-key", "A token signed by HMAC with an empty key is refused",
			tokenRefused(func(m maker) (string, error) {
				return gitlab.SignHMAC(m.claims(), m.env.Issuer.KeyID(), nil)
			}, signature)),
		// Catches: a key chosen only by its ID.
		core(scenario.Row("abuse/token-other-key", "A token signed with another key under its own ID is refused",
			tokenRefused(func(m maker) (string, error) {
				return m.forged(nil)
			}, signature))),
		core(scenario.Row("abuse/token-other-key-true-id",
			"A token signed with another key under the issuer's key ID is refused",
			tokenRefused(func(m maker) (string, error) {
				return m.forged(map[string]any{"kid": m.env.Issuer.KeyID()})
			}, signature))),
		// Catches: a key taken from the token, or from a URL in the token.
		scenario.Row("abuse/token-embedded-key", "A token that embeds its own key is refused",
			tokenRefused(func(m maker) (string, error) {
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
			}, signature)),
		scenario.Row("abuse/token-key-url", "A token that names the URL of its key is refused",
			tokenRefused(func(m maker) (string, error) {
				return m.forged(map[string]any{"jku": "http://127.0.0.1:9/keys"})
			}, signature)),
		scenario.Row("abuse/token-certificate-url", "A token that names the URL of its certificate is refused",
			tokenRefused(func(m maker) (string, error) {
				return m.forged(map[string]any{"x5u": "http://127.0.0.1:9/cert"})
			}, signature)),
		scenario.Row("abuse/token-unknown-key-id", "A valid signature under an unknown key ID is refused",
			tokenRefused(header("kid", "steamer-none"), signature)),
		scenario.Row("abuse/token-key-id-path", "A key ID that is a path is refused",
			tokenRefused(header("kid", "../../../../dev/null"), signature)),
		scenario.Row("abuse/token-key-id-sql", "A key ID that contains SQL is refused",
			tokenRefused(header("kid", "' OR '1'='1"), signature)),
		scenario.Row("abuse/token-critical-header", "A token with an unknown critical header is refused",
			tokenRefused(header("crit", []string{"steamer"}), signature)),
		// Catches: a signature that is not checked completely.
		scenario.Row("abuse/token-signature-cut", "A truncated signature is refused",
			tokenRefused(cut(func(s string) string { return s[:len(s)-16] }), signature)),
		scenario.Row("abuse/token-signature-missing", "A token with its signature removed is refused",
			tokenRefused(cut(func(s string) string { return s[:strings.LastIndex(s, ".")+1] }), signature)),
		scenario.Row("abuse/token-signature-of-other", "A token with another token's signature is refused",
			tokenRefused(func(m maker) (string, error) {
				first, err := m.env.Issuer.Sign(m.claims(), nil)
				if err != nil {
					return "", err
				}
				second, err := m.env.Issuer.Sign(m.claims(), nil) // another jti
				return first[:strings.LastIndex(first, ".")] + second[strings.LastIndex(second, "."):], err
			}, signature)),
		scenario.Row("abuse/token-two-parts", "A token of two parts is refused",
			tokenRefused(cut(func(s string) string { return s[:strings.LastIndex(s, ".")] }), signature)),
		scenario.Row("abuse/token-four-parts", "A token of four parts is refused",
			tokenRefused(cut(func(s string) string { return s + ".x" }), signature)),
		scenario.Row("abuse/token-empty", "An empty token is refused",
			tokenRefused(cut(func(string) string { return "" }), "missing token")),
		scenario.Row("abuse/token-garbage", "Text that is not a token is refused",
			tokenRefused(cut(func(string) string { return "no token" }), signature)),
		scenario.Row("abuse/token-garbage-dots", "A token of dots only is refused",
			tokenRefused(cut(func(string) string { return ".." }), signature)),
		scenario.Row("abuse/token-garbage-large", "64 KiB of text that is not a token are refused",
			tokenRefused(cut(func(string) string { return strings.Repeat("a", 64<<10) }), signature)),
		scenario.Row("abuse/token-garbage-many-dots", "A token of thousands of dots is refused",
			tokenRefused(cut(func(string) string { return strings.Repeat(".", 32<<10) }), signature)),
	)
}
