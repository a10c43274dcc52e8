package gitlab

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Sign returns the compact JWS of claims, signed with the issuer's key. header
// adds to or replaces the header's typ and kid; alg stays the true one.
func (i *Issuer) Sign(claims, header map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("signing: claims do not encode: %w", err)
	}
	return i.SignPayload(payload, header)
}

// SignPayload is Sign for a payload that no encoder would write.
func (i *Issuer) SignPayload(payload []byte, header map[string]any) (string, error) {
	opts := &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{"kid": i.kid, "typ": "JWT"}}
	for name, value := range header {
		opts.ExtraHeaders[jose.HeaderKey(name)] = value
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(i.alg), Key: i.key}, opts)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return jws.CompactSerialize()
}

// Unsigned returns claims as an unsecured JWS (alg none, RFC 7519 section 6),
// which no verifier may accept.
func Unsigned(claims map[string]any) (string, error) {
	return compact(map[string]any{"alg": "none", "typ": "JWT"}, claims, nil)
}

// SignHMAC returns claims signed with HS256 and the given key. With an issuer's
// public key as the HMAC key this is the classic algorithm confusion.
func SignHMAC(claims map[string]any, kid string, key []byte) (string, error) {
	return compact(map[string]any{"alg": "HS256", "typ": "JWT", "kid": kid}, claims, func(input []byte) []byte {
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write(input) // never fails
		return mac.Sum(nil)
	})
}

// compact serialises by hand what a sound library refuses to produce.
func compact(header, claims map[string]any, sign func([]byte) []byte) (string, error) {
	h, err := json.Marshal(header)
	if err != nil {
		return "", fmt.Errorf("signing: header does not encode: %w", err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("signing: claims do not encode: %w", err)
	}
	b64 := base64.RawURLEncoding
	input := b64.EncodeToString(h) + "." + b64.EncodeToString(c)
	if sign == nil {
		return input + ".", nil
	}
	return input + "." + b64.EncodeToString(sign([]byte(input))), nil
}
